#include "arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace tfjs_serving {

namespace {

// The bytes of the range that are made usable at a time.
constexpr size_t kGrowBytes = 64 << 20;

// The bytes that are returned at a time. Threads that map memory wait
// meanwhile, for about a millisecond.
constexpr size_t kGiveBackBytes = 8 << 20;

size_t RoundUp(size_t bytes, size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// Returns the whole pages between two addresses.
void GiveBackPages(char* begin, char* end) {
  static const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto first = RoundUp(reinterpret_cast<uintptr_t>(begin), page);
  const auto last = reinterpret_cast<uintptr_t>(end) / page * page;
  for (uintptr_t at = first; at < last; at += kGiveBackBytes) {
    madvise(reinterpret_cast<void*>(at),
            std::min<size_t>(kGiveBackBytes, last - at), MADV_DONTNEED);
  }
}

}  // namespace

Arena::Arena(size_t reserved_bytes) {
  const size_t bytes = RoundUp(reserved_bytes, kGrowBytes);
  void* const range = mmap(nullptr, bytes, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) return;
  begin_ = grown_ = static_cast<char*>(range);
  end_ = begin_ + bytes;
}

void* Arena::Allocate(size_t bytes) {
  if (bytes > static_cast<size_t>(end_ - begin_)) return nullptr;
  const size_t size = RoundUp(std::max<size_t>(bytes, 1), kGrain);
  const std::lock_guard<std::mutex> lock(mutex_);
  auto best = free_.lower_bound({size, nullptr});
  if (best == free_.end()) {
    if (!Grow(size)) return nullptr;
    best = free_.lower_bound({size, nullptr});
  }
  const auto chunk = chunks_.find(best->second);
  Take(chunk);
  if (const size_t rest = chunk->second.size - size; rest > 0) {
    chunk->second.size = size;
    PutBack(chunks_.emplace_hint(std::next(chunk), chunk->first + size,
                                 Chunk{rest, false}));
  }
  used_bytes_ += size;
  return chunk->first;
}

void Arena::Free(void* chunk) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = chunks_.find(static_cast<char*>(chunk));
  used_bytes_ -= found->second.size;
  freed_bytes_ += found->second.size;
  PutBack(found);
}

void Arena::GiveBack() {
  std::unique_lock<std::mutex> lock(mutex_);
  char* at = begin_;
  for (;;) {
    const auto chunk =
        std::find_if(chunks_.lower_bound(at), chunks_.end(),
                     [](const auto& each) { return each.second.is_free; });
    if (chunk == chunks_.end()) return;
    // Nobody else may take the chunk while its pages go, nor wait for that.
    Take(chunk);
    at = chunk->first + chunk->second.size;
    lock.unlock();
    GiveBackPages(chunk->first, at);
    lock.lock();
    PutBack(chunk);
  }
}

bool Arena::Grow(size_t bytes) {
  // It merges with the free memory at the end.
  const bool ends_free =
      !chunks_.empty() && std::prev(chunks_.end())->second.is_free;
  const size_t there = ends_free ? std::prev(chunks_.end())->second.size : 0;
  const size_t more = RoundUp(bytes - there, kGrowBytes);
  if (more > static_cast<size_t>(end_ - grown_)) return false;
  if (mprotect(grown_, more, PROT_READ | PROT_WRITE) != 0) return false;
  PutBack(chunks_.emplace_hint(chunks_.end(), grown_, Chunk{more, false}));
  grown_ += more;
  return true;
}

void Arena::Take(Chunks::iterator chunk) {
  free_.erase({chunk->second.size, chunk->first});
  chunk->second.is_free = false;
}

void Arena::PutBack(Chunks::iterator chunk) {
  if (chunk != chunks_.begin() && std::prev(chunk)->second.is_free) {
    const auto joined = chunk--;
    Take(chunk);
    chunk->second.size += joined->second.size;
    chunks_.erase(joined);
  }
  if (const auto next = std::next(chunk);
      next != chunks_.end() && next->second.is_free) {
    Take(next);
    chunk->second.size += next->second.size;
    chunks_.erase(next);
  }
  chunk->second.is_free = true;
  free_.emplace(chunk->second.size, chunk->first);
}

}  // namespace tfjs_serving
