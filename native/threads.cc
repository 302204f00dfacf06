#include "threads.h"

#include <atomic>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "status.h"

namespace tfjs_serving {

namespace {

struct Entry {
  std::thread thread;
  std::atomic<bool> ended{false};
};

struct Threads {
  std::mutex mutex;
  std::list<Entry> entries;  // guarded by mutex; the elements stay in place
};

// Never destroyed: used while the process exits.
Threads& All() {
  static Threads& threads = *new Threads;
  return threads;
}

}  // namespace

void StartThread(std::function<void()> work) {
  Threads& all = All();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.entries.remove_if([](Entry& entry) {
    if (!entry.ended) return false;
    entry.thread.join();
    return true;
  });
  Entry& entry = all.entries.emplace_back();
  try {
    entry.thread = std::thread([&entry, work = std::move(work)]() mutable {
      work();
      work = nullptr;  // what it captured dies here, before anyone joins
      entry.ended = true;
    });
  } catch (const std::system_error& error) {
    all.entries.pop_back();
    throw StatusError(TF_RESOURCE_EXHAUSTED,
                      std::string("no thread to be had: ") + error.what());
  }
}

void JoinThreads() {
  Threads& all = All();
  for (;;) {
    std::list<Entry> taken;
    {
      const std::lock_guard<std::mutex> lock(all.mutex);
      taken.swap(all.entries);
    }
    if (taken.empty()) return;
    for (Entry& entry : taken) entry.thread.join();
  }
}

}  // namespace tfjs_serving
