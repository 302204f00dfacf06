// Threads for the rare and slow: one per load, one per close, one per warm-up, so
// that one that hangs (a dead network mount) delays nobody else. They run at low
// priority, and so do the threads that TensorFlow starts from them: requests that
// are being answered come first.

#ifndef TFJS_SERVING_NATIVE_THREADS_H_
#define TFJS_SERVING_NATIVE_THREADS_H_

#include <cstdint>
#include <functional>

namespace tfjs_serving {

// Runs `work` on a thread of its own. `work` must not throw. Throws
// RESOURCE_EXHAUSTED, with `work` not run, if there is no thread to be had.
void StartThread(std::function<void()> work);

// Has the calling thread treat denormal floats as zero, as TensorFlow's own
// threads do; kernels it runs there would be many times slower without.
void FlushDenormals();

// The same for as long as it lives, on a thread whose own floats must stay as
// they are: JavaScript's.
class ScopedFlushDenormals {
 public:
  ScopedFlushDenormals();
  ~ScopedFlushDenormals();
  ScopedFlushDenormals(const ScopedFlushDenormals&) = delete;
  ScopedFlushDenormals& operator=(const ScopedFlushDenormals&) = delete;

 private:
  const uint64_t before_;
};

// Waits until every thread ever started has ended, those they start meanwhile
// included. Not from such a thread.
void JoinThreads();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_THREADS_H_
