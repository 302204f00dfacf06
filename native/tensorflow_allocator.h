// Decides where TensorFlow takes memory for tensors on the CPU.

#ifndef TFJS_SERVING_NATIVE_TENSORFLOW_ALLOCATOR_H_
#define TFJS_SERVING_NATIVE_TENSORFLOW_ALLOCATOR_H_

#include <cstddef>

namespace tfjs_serving {

// Makes TensorFlow take large tensors from our arena. It is called once, before
// anything asks TensorFlow for a tensor. TensorFlow keeps its own allocator
// - if its version is not the one whose classes we know,
// - if the process has made tensors before,
// - under TF_ONEDNN_USE_SYSTEM_ALLOCATOR, which selects the C library.
void UseOurArena();

// Returns the free memory of the arena to the system.
void GiveBackArena();

// The bytes of tensors in the arena.
size_t ArenaBytes();

// The bytes that were ever freed in it.
size_t ArenaFreedBytes();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_TENSORFLOW_ALLOCATOR_H_
