// Returns free memory that this process would otherwise keep.

#ifndef TFJS_SERVING_NATIVE_FREE_MEMORY_H_
#define TFJS_SERVING_NATIVE_FREE_MEMORY_H_

namespace tfjs_serving {

// Returns the free memory of the C library and of large tensors to the system.
// It takes about a tenth of a second for each GB.
void GiveBackMemory();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_FREE_MEMORY_H_
