// How the C library's allocator is used, where it can be told (glibc).

#ifndef TFJS_SERVING_NATIVE_ALLOCATOR_H_
#define TFJS_SERVING_NATIVE_ALLOCATOR_H_

namespace tfjs_serving {

// For the whole process, before it opens TensorFlow.
void TuneAllocator();

// Gives free memory back to the system. Takes milliseconds.
void TrimAllocator();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_ALLOCATOR_H_
