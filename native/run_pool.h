// RunPool: the threads that runs block on, and the queue before them.
// 
// The queue is first in, first out. We use our own threads instead of libuv's
// four, so that long runs never hold up files and DNS.

#ifndef TFJS_SERVING_NATIVE_RUN_POOL_H_
#define TFJS_SERVING_NATIVE_RUN_POOL_H_

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tfjs_serving {

class Environment;
class Run;

// Safe from any thread.
class RunPool {
 public:
  // The one pool of the process. Never destroyed.
  static RunPool& Get();

  RunPool() = default;
  RunPool(const RunPool&) = delete;
  RunPool& operator=(const RunPool&) = delete;

  // Starts `count` threads, unless threads are running.
  void Start(int count);

  void Add(std::unique_ptr<Run> run);

  // Destroys the queued runs of an environment. Runs that a thread has taken go
  // on.
  void Drop(const Environment& environment);

  // Destroys everything in the queue and joins the threads, which end their
  // current run first. Start() may follow.
  void Stop();

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Run>> queue_;  // guarded by mutex_
  std::vector<std::thread> threads_;        // guarded by mutex_
  bool stopping_ = false;                   // guarded by mutex_
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_RUN_POOL_H_
