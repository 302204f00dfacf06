#include "free_memory.h"

#include "allocator.h"
#include "tensorflow_allocator.h"

namespace tfjs_serving {

void GiveBackMemory() {
  TrimAllocator();
  GiveBackArena();
}

}  // namespace tfjs_serving
