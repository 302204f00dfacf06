#include "allocator.h"

#include <algorithm>
#include <thread>

#if defined(__GLIBC__)  // known once a header of the library has been read
#include <malloc.h>
#endif

namespace tfjs_serving {

#if defined(__GLIBC__)

void TuneAllocator() {
  // Images come and go with sizes from some hundred kB to some MB. By default,
  // each is a mapping of its own, or the end of a heap that is returned at
  // once, and its pages are faulted in again. A larger value would spare image
  // models more faults (`policy` has 50 to 170 per request, and none at 32
  // MiB), but the server would keep 100 MiB more over its reloads.
  constexpr int kKeepBytes = 4 << 20;
  mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  mallopt(M_TRIM_THRESHOLD, kKeepBytes);
  // Each arena keeps free memory at its end that TrimAllocator() cannot return.
  // There are usually eight arenas per processor. Reloads would add to them for
  // a long time, since each load has another thread.
  const auto processors = static_cast<int>(std::thread::hardware_concurrency());
  mallopt(M_ARENA_MAX, std::max(2, processors));
}

void TrimAllocator() { malloc_trim(0); }

#else

void TuneAllocator() {}
void TrimAllocator() {}

#endif

}  // namespace tfjs_serving
