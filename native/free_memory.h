// Free memory that this process would keep for itself.

#ifndef TFJS_SERVING_NATIVE_FREE_MEMORY_H_
#define TFJS_SERVING_NATIVE_FREE_MEMORY_H_

namespace tfjs_serving {

// Gives it back to the system: the C library's, and that of large tensors. Takes
// about a tenth of a second for each GB.
void GiveBackMemory();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_FREE_MEMORY_H_
