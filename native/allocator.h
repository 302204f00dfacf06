// Tunes the C library's allocator, where that is possible (glibc).

#ifndef TFJS_SERVING_NATIVE_ALLOCATOR_H_
#define TFJS_SERVING_NATIVE_ALLOCATOR_H_

namespace tfjs_serving {

// Tunes it for the whole process. It is called before the process opens
// TensorFlow.
void TuneAllocator();

// Returns free memory to the system. This takes milliseconds.
void TrimAllocator();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_ALLOCATOR_H_
