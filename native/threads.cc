#include "threads.h"

#include <pthread.h>

#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__APPLE__)
#include <pthread/qos.h>
#endif
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <atomic>
#include <cstdint>
#include <cstring>
#include <list>
#include <mutex>
#include <utility>

#include "status.h"

namespace tfjs_serving {

namespace {

struct Entry {
  explicit Entry(std::function<void()> its_work) : work(std::move(its_work)) {}

  pthread_t thread{};
  std::function<void()> work;
  std::atomic<bool> ended{false};
};

struct Threads {
  std::mutex mutex;
  std::list<Entry> entries;  // guarded by mutex; the elements stay in place
};

// Never destroyed, because it is used while the process exits.
Threads& All() {
  static Threads& threads = *new Threads;
  return threads;
}

#if defined(__linux__)
// struct sched_attr of linux/sched/types.h, which clashes with glibc's headers.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};
#endif

// The register that says how the calling thread treats floats, and its bits
// that make denormals zero.
#if defined(__SSE2__)
constexpr uint64_t kDenormalsAreZero = 0x8000 | 0x0040;
uint64_t FloatControl() { return _mm_getcsr(); }
void SetFloatControl(uint64_t value) {
  _mm_setcsr(static_cast<unsigned>(value));
}
#elif defined(__aarch64__)
constexpr uint64_t kDenormalsAreZero = uint64_t{1} << 24;
uint64_t FloatControl() {
  uint64_t value = 0;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void SetFloatControl(uint64_t value) {
  asm volatile("msr fpcr, %0" : : "r"(value));
}
#else
constexpr uint64_t kDenormalsAreZero = 0;
uint64_t FloatControl() { return 0; }
void SetFloatControl(uint64_t) {}
#endif

// Gives the thread one or two hundredths of the share of a thread that answers
// requests, if processors are short. It gets everything that is left if they
// are not. We do not use SCHED_IDLE, because on a machine that is always busy a
// load would never end.
void LowerPriority() {
#if defined(__linux__)
  constexpr int kNice = 19;
  // How long the thread may go on once it has a processor (Linux 6.12 and
  // later). A request that comes just then waits for that time. The usual 3 ms
  // would double the slowest hundredth of a small model's answers.
  constexpr uint64_t kSliceNanoseconds = 100'000;
  SchedulingAttributes attributes{};
  attributes.size = sizeof attributes;
  attributes.policy = SCHED_OTHER;
  attributes.nice = kNice;
  attributes.runtime = kSliceNanoseconds;
  if (syscall(SYS_sched_setattr, 0, &attributes, 0) == 0) return;
  // A sandbox may know only the old call.
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  static_cast<void>(setpriority(PRIO_PROCESS, thread, kNice));
#elif defined(__APPLE__)
  static_cast<void>(pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0));
#endif
}

void* Run(void* pointer) {
  Entry& entry = *static_cast<Entry*>(pointer);
  LowerPriority();
  FlushDenormals();
  entry.work();
  entry.work = nullptr;  // what it captured dies here, before anyone joins
  entry.ended = true;
  return nullptr;
}

// Never waits. If processors are short, a thread of low priority may take long
// to end, and the caller may be the event loop.
bool JoinIfGone(Entry& entry) {
#if defined(__linux__)
  return entry.ended && pthread_tryjoin_np(entry.thread, nullptr) == 0;
#else
  return entry.ended && pthread_join(entry.thread, nullptr) == 0;
#endif
}

}  // namespace

void FlushDenormals() {
  SetFloatControl(FloatControl() | kDenormalsAreZero);
}

ScopedFlushDenormals::ScopedFlushDenormals() : before_(FloatControl()) {
  FlushDenormals();
}

ScopedFlushDenormals::~ScopedFlushDenormals() { SetFloatControl(before_); }

void StartThread(std::function<void()> work) {
  Threads& all = All();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.entries.remove_if(JoinIfGone);
  Entry& entry = all.entries.emplace_back(std::move(work));
  const int error = pthread_create(&entry.thread, nullptr, Run, &entry);
  if (error == 0) return;
  all.entries.pop_back();
  throw StatusError(TF_RESOURCE_EXHAUSTED,
                    std::string("no thread to be had: ") + strerror(error));
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
    for (Entry& entry : taken) pthread_join(entry.thread, nullptr);
  }
}

}  // namespace tfjs_serving
