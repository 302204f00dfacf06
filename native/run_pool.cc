#include "run_pool.h"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>

#include "run.h"
#include "status.h"
#include "threads.h"

namespace tfjs_serving {

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
