// Counts what the native part holds now, in the whole process.
// 
// Every object that matters counts itself from its construction to its
// destruction, so a test can prove that nothing is left behind. When the
// process is idle and JavaScript holds no output, every counter but
// `environments` is zero.

#ifndef TFJS_SERVING_NATIVE_COUNTERS_H_
#define TFJS_SERVING_NATIVE_COUNTERS_H_

#include <atomic>
#include <cstdint>

namespace tfjs_serving {

struct Counters {
  std::atomic<int64_t> environments{0};     // Node threads that loaded us
  std::atomic<int64_t> sessions{0};         // open or being closed
  std::atomic<int64_t> runs_queued{0};      // no thread has taken them yet
  std::atomic<int64_t> runs_in_flight{0};   // on a thread of the run pool
  std::atomic<int64_t> loads_in_flight{0};
  std::atomic<int64_t> closes_in_flight{0};
  std::atomic<int64_t> tensors{0};          // TF_Tensors we own
  std::atomic<int64_t> tensor_bytes{0};     // and the bytes under them
};

// Safe from any thread, also while the process exits: the counters are never
// destroyed.
inline Counters& GlobalCounters() {
  static Counters& counters = *new Counters;
  return counters;
}

// Adds one to a counter for as long as it lives.
class Counted {
 public:
  explicit Counted(std::atomic<int64_t>& counter) : counter_(counter) {
    ++counter_;
  }
  ~Counted() { --counter_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<int64_t>& counter_;
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_COUNTERS_H_
