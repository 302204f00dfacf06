#include "run_pool.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <system_error>
#include <utility>

#include "run.h"
#include "status.h"

namespace tfjs_serving {

namespace {

// TensorFlow's own threads treat denormal floats as zero; kernels it runs on
// the calling thread would be many times slower without.
void FlushDenormals() {
#if defined(__SSE2__)
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
#elif defined(__aarch64__)
  constexpr uint64_t kFlushToZero = uint64_t{1} << 24;
  uint64_t fpcr = 0;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  asm volatile("msr fpcr, %0" : : "r"(fpcr | kFlushToZero));
#endif
}

}  // namespace

RunPool& RunPool::Get() {
  static RunPool& pool = *new RunPool;
  return pool;
}

void RunPool::Start(int count) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!threads_.empty()) return;
  for (int i = 0; i < count; ++i) {
    try {
      threads_.emplace_back([this] { Work(); });
    } catch (const std::system_error& error) {
      if (!threads_.empty()) return;  // fewer will do
      throw StatusError(TF_RESOURCE_EXHAUSTED,
                        std::string("no run thread to be had: ") + error.what());
    }
  }
}

void RunPool::Add(std::unique_ptr<Run> run) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(run));
    ++GlobalCounters().runs_queued;
  }
  wake_.notify_one();
}

void RunPool::Drop(const Environment& environment) {
  std::vector<std::unique_ptr<Run>> dropped;  // destroyed outside the lock
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto first = std::stable_partition(
      queue_.begin(), queue_.end(), [&](const std::unique_ptr<Run>& run) {
        return &run->environment() != &environment;
      });
  std::move(first, queue_.end(), std::back_inserter(dropped));
  queue_.erase(first, queue_.end());
  GlobalCounters().runs_queued -= static_cast<int64_t>(dropped.size());
}

void RunPool::Stop() {
  std::deque<std::unique_ptr<Run>> dropped;
  std::vector<std::thread> threads;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    dropped.swap(queue_);
    GlobalCounters().runs_queued -= static_cast<int64_t>(dropped.size());
    threads.swap(threads_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = false;
}

void RunPool::Work() {
  FlushDenormals();
  for (;;) {
    std::unique_ptr<Run> run;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      run = std::move(queue_.front());
      queue_.pop_front();
      --GlobalCounters().runs_queued;
    }
    Run::Execute(std::move(run));
  }
}

}  // namespace tfjs_serving
