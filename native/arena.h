// Memory for large tensors. It is a range of addresses from which chunks are
// taken. The free pages can be returned to the system.
// 
// It uses best fit with coalescing, like TensorFlow's own arena, so that a run
// finds the pages of the run before it. The difference is GiveBack():
// TensorFlow's arena keeps all memory that it ever had, for example the weights
// of a closed model.

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
  // Reserves addresses, not memory. If the system refuses, every Allocate()
  // fails.
  explicit Arena(size_t reserved_bytes);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Returns a chunk at a multiple of kGrain, or nullptr if there is no room.
  void* Allocate(size_t bytes);
  void Free(void* chunk);

  // True if Allocate() returned this chunk.
  bool Holds(const void* chunk) const {
    return chunk >= begin_ && chunk < end_;
  }

  // Returns the pages of free chunks to the system. It takes about a tenth of a
  // second for each GB. Other threads can allocate and free meanwhile.
  void GiveBack();

  // The bytes of the chunks that are in use.
  size_t used_bytes() const { return used_bytes_; }

  // The bytes that were ever freed. They show whether there may be something to
  // return.
  size_t freed_bytes() const { return freed_bytes_; }

  static constexpr size_t kGrain = 256;

 private:
  struct Chunk {
    size_t size;
    bool is_free;
  };
  // The chunks by address. They have no gaps between the beginning of the range
  // and `grown_`.
  using Chunks = std::map<char*, Chunk>;

  // The caller must hold the mutex.
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
