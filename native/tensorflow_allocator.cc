#include "tensorflow_allocator.h"

#include "arena.h"

#if defined(__linux__)

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "tensorflow/c/c_api.h"

namespace tfjs_serving {

namespace {

// ---- TensorFlow's classes ----------------------------------------------------
//
// There is no C API for allocators. These are the classes of
// xla/tsl/framework/allocator.h and allocator_registry.h, as far as their layout
// and the order of their virtual functions go, in the version named here. They
// have been as they are for years; with another version look again.
constexpr const char* kKnownVersion = "2.21.0";

struct Stats {
  int64_t counts[4];
  std::optional<int64_t> limit;
  int64_t reserved[2];
  std::optional<int64_t> reservable;
  int64_t largest_free;
  std::optional<int64_t> pool[2];
};

// tsl::Allocator
class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual std::string Name() = 0;
  virtual void* AllocateRaw(size_t alignment, size_t bytes) = 0;
  virtual void* AllocateRaw(size_t alignment, size_t bytes,
                            const void* attributes) = 0;
  virtual void DeallocateRaw(void* data) = 0;
  virtual void DeallocateRaw(void* data, size_t alignment, size_t bytes) = 0;
  virtual bool TracksAllocationSizes() const { return false; }
  virtual bool AllocatesOpaqueHandle() const { return false; }
  virtual size_t RequestedSize(const void*) const { return 0; }
  virtual size_t AllocatedSize(const void*) const { return 0; }
  virtual int64_t AllocationId(const void*) const { return 0; }
  virtual size_t AllocatedSizeSlow(const void*) const { return 0; }
  virtual std::optional<Stats> GetStats() { return std::nullopt; }
  virtual bool ClearStats() { return false; }
  virtual void SetSafeFrontier(uint64_t) {}
  virtual void SetStreamAndPreallocateMemory(void*) {}
  virtual int GetMemoryType() const { return 0; }
};

// tsl::AllocatorFactory
class Factory {
 public:
  virtual ~Factory() = default;
  virtual bool NumaEnabled() { return false; }
  virtual Allocator* CreateAllocator() = 0;
  virtual void* CreateSubAllocator(int) { return nullptr; }  // nobody asks
};

// tsl::AllocatorFactoryRegistry
struct Registry {
  void* mutex;
  void* process_state;
  bool first_allocator_made;
};
using FindRegistry = Registry*();
using Register = void(Registry*, const char* file, int line,
                      const std::string& name, int priority, Factory*);

// ---- Ours --------------------------------------------------------------------

// Smaller tensors use the C library, as in TensorFlow.
constexpr size_t kLargeBytes = 256 << 10;

// The highest priority of TensorFlow's own factories is 200.
constexpr int kPriority = 300;

size_t PhysicalBytes() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Reserves twice as many addresses as there is memory, since free chunks
// between others take addresses but no memory. It is never destroyed, because
// tensors live on while the process exits.
Arena& TheArena() {
  static Arena& arena = *new Arena(2 * PhysicalBytes());
  return arena;
}

class ArenaAllocator final : public Allocator {
 public:
  std::string Name() override { return "tfjs-serving"; }

  void* AllocateRaw(size_t alignment, size_t bytes) override {
    if (bytes >= kLargeBytes && alignment <= Arena::kGrain) {
      if (void* const chunk = arena_.Allocate(bytes)) return chunk;
    }
    void* data = nullptr;
    const size_t least = std::max(alignment, sizeof(void*));
    return posix_memalign(&data, least, bytes) == 0 ? data : nullptr;
  }
  void* AllocateRaw(size_t alignment, size_t bytes, const void*) override {
    return AllocateRaw(alignment, bytes);
  }

  void DeallocateRaw(void* data) override {
    if (arena_.Holds(data)) {
      arena_.Free(data);
    } else {
      free(data);
    }
  }
  void DeallocateRaw(void* data, size_t, size_t) override {
    DeallocateRaw(data);
  }

 private:
  Arena& arena_ = TheArena();
};

class ArenaFactory final : public Factory {
 public:
  Allocator* CreateAllocator() override { return new ArenaAllocator; }
};

template <typename Function>
Function* Find(const char* symbol) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, symbol));
}

bool in_use = false;

}  // namespace

void UseOurArena() {
  if (std::strcmp(TF_Version(), kKnownVersion) != 0) return;
  if (std::getenv("TF_ONEDNN_USE_SYSTEM_ALLOCATOR") != nullptr) return;
  auto* const find_registry =
      Find<FindRegistry>("_ZN3tsl24AllocatorFactoryRegistry9singletonEv");
  auto* const add = Find<Register>(
      "_ZN3tsl24AllocatorFactoryRegistry8RegisterEPKciRKNSt7__cxx1112basic_"
      "stringIcSt11char_traitsIcESaIcEEEiPNS_16AllocatorFactoryE");
  if (find_registry == nullptr || add == nullptr) return;
  Registry* const registry = find_registry();
  // The registry ends the process if a factory is registered after that.
  if (registry->first_allocator_made) return;
  add(registry, __FILE__, __LINE__, "tfjs-serving", kPriority,
      new ArenaFactory);
  in_use = true;
}

void GiveBackArena() {
  if (in_use) TheArena().GiveBack();
}

size_t ArenaBytes() { return in_use ? TheArena().used_bytes() : 0; }

size_t ArenaFreedBytes() { return in_use ? TheArena().freed_bytes() : 0; }

}  // namespace tfjs_serving

#else

namespace tfjs_serving {

void UseOurArena() {}
void GiveBackArena() {}
size_t ArenaBytes() { return 0; }
size_t ArenaFreedBytes() { return 0; }

}  // namespace tfjs_serving

#endif
