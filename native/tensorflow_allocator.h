// Where TensorFlow takes memory for tensors on the CPU.

#ifndef TFJS_SERVING_NATIVE_TENSORFLOW_ALLOCATOR_H_
#define TFJS_SERVING_NATIVE_TENSORFLOW_ALLOCATOR_H_

#include <cstddef>

namespace tfjs_serving {

// Has TensorFlow take large tensors from an arena of ours. Once, before anything
// asks TensorFlow for a tensor. TensorFlow keeps its own way
//   - where its version is not the one whose classes we know,
//   - where the process has used it for tensors before,
//   - under TF_ONEDNN_USE_SYSTEM_ALLOCATOR, with which TensorFlow's own way is
//     the C library's.
void UseOurArena();

// Gives what is free in the arena back to the system.
void GiveBackArena();

// Bytes of tensors in the arena.
size_t ArenaBytes();

// Bytes that were ever freed in it.
size_t ArenaFreedBytes();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_TENSORFLOW_ALLOCATOR_H_
