// Operations that TensorFlow does not bring: shared objects that register
// them, and the list of all that are registered. Both hold for the process.

#ifndef TFJS_SERVING_NATIVE_OP_LIBRARY_H_
#define TFJS_SERVING_NATIVE_OP_LIBRARY_H_

#include <string>

namespace tfjs_serving {

// Loads the shared object at `path` for good, which registers its operations.
// Does nothing if a library with this `digest` of its content was loaded before,
// under whatever path: some libraries end the process when they register a
// second time. Returns whether it was loaded now. Throws what TensorFlow
// reports; the next call then tries again.
bool LoadOpLibrary(const std::string& path, const std::string& digest);

// The operations registered now, a serialized tensorflow.OpList.
std::string OperationList();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_OP_LIBRARY_H_
