#include "allocator.h"

#include <algorithm>
#include <thread>

#if defined(__GLIBC__)  // known once a header of the library has been read
#include <malloc.h>
#endif

namespace tfjs_serving {

#if defined(__GLIBC__)

void TuneAllocator() {
  // Images come and go at some hundred kB to some MB each. By default each is a
  // mapping of its own, or the end of a heap that is given back at once, and its
  // pages are faulted in again. More than this would spare models of images more
  // faults (`policy` has 50 to 170 a request, none at 32 MiB), and let a server
  // keep 100 MiB more over its reloads.
  constexpr int kKeepBytes = 4 << 20;
  mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  mallopt(M_TRIM_THRESHOLD, kKeepBytes);
  // Each arena keeps free memory at its end that TrimAllocator() cannot give
  // back. With the usual eight per processor reloads add to it for long, since each
  // load has another thread.
  const auto processors = static_cast<int>(std::thread::hardware_concurrency());
  mallopt(M_ARENA_MAX, std::max(2, processors));
}

void TrimAllocator() { malloc_trim(0); }

#else

void TuneAllocator() {}
void TrimAllocator() {}

#endif

}  // namespace tfjs_serving
