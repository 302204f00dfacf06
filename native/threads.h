// Threads for rare and slow work: one per load, per close and per warm-up. One
// that hangs (on a dead network mount) delays nobody else. They run at low
// priority, and so do the threads that TensorFlow starts from them, because
// requests come first.

#ifndef TFJS_SERVING_NATIVE_THREADS_H_
#define TFJS_SERVING_NATIVE_THREADS_H_

#include <cstdint>
#include <functional>

namespace tfjs_serving {

// Runs `work` on a thread of its own. `work` must not throw. Throws
// RESOURCE_EXHAUSTED, without running `work`, if no thread is available.
void StartThread(std::function<void()> work);

// Makes the calling thread treat denormal floats as zero, as TensorFlow's own
// threads do. Otherwise, kernels that TensorFlow runs there would be many times
// slower.
void FlushDenormals();

// Does the same as long as the object lives, for a thread whose own floats must
// not change: JavaScript's.
class ScopedFlushDenormals {
 public:
  ScopedFlushDenormals();
  ~ScopedFlushDenormals();
  ScopedFlushDenormals(const ScopedFlushDenormals&) = delete;
  ScopedFlushDenormals& operator=(const ScopedFlushDenormals&) = delete;

 private:
  const uint64_t before_;
};

// Waits until every thread has ended, including those that start meanwhile. Do
// not call it from such a thread.
void JoinThreads();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_THREADS_H_
