// Memory for large tensors: a range of addresses of which chunks are handed out,
// and whose free pages can be given back to the system.
//
// Best fit with coalescing, as in TensorFlow's own arena, so that a run finds the
// pages of the run before it. The difference is GiveBack(): TensorFlow's arena
// keeps all that it ever had, such as the weights of a model that is closed.

#ifndef TFJS_SERVING_NATIVE_ARENA_H_
#define TFJS_SERVING_NATIVE_ARENA_H_

#include <atomic>
#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace tfjs_serving {

// Safe from any thread.
class Arena {
 public:
  // Reserves addresses, not memory. Where the system refuses, every Allocate()
  // fails.
  explicit Arena(size_t reserved_bytes);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // A chunk that begins at a multiple of kGrain, or nullptr if there is no room.
  void* Allocate(size_t bytes);
  void Free(void* chunk);

  // Whether Allocate() returned it.
  bool Holds(const void* chunk) const {
    return chunk >= begin_ && chunk < end_;
  }

  // Gives the pages of free chunks back to the system. Takes about a tenth of a
  // second for each GB; others allocate and free meanwhile.
  void GiveBack();

  // What is handed out.
  size_t used_bytes() const { return used_bytes_; }

  // What was ever freed, to tell whether there may be something to give back.
  size_t freed_bytes() const { return freed_bytes_; }

  static constexpr size_t kGrain = 256;

 private:
  struct Chunk {
    size_t size;
    bool is_free;
  };
  // By address; without gaps from the beginning of the range to `grown_`.
  using Chunks = std::map<char*, Chunk>;

  // These need the mutex.
  bool Grow(size_t bytes);
  void Take(Chunks::iterator chunk);
  void PutBack(Chunks::iterator chunk);

  char* begin_ = nullptr;
  char* end_ = nullptr;
  std::atomic<size_t> used_bytes_{0};
  std::atomic<size_t> freed_bytes_{0};

  std::mutex mutex_;
  // Guarded by mutex_.
  char* grown_ = nullptr;  // from here on the range cannot be used yet
  Chunks chunks_;
  std::set<std::pair<size_t, char*>> free_;
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_ARENA_H_
