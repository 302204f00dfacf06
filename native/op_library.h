// Operations that TensorFlow does not bring: loads the shared objects that
// register them, and lists all registered operations. Both concern the whole
// process.

#ifndef TFJS_SERVING_NATIVE_OP_LIBRARY_H_
#define TFJS_SERVING_NATIVE_OP_LIBRARY_H_

#include <string>

namespace tfjs_serving {

// Loads the shared object at `path` for good, which registers its operations.
// It does nothing if a library with this `digest` of its content was loaded
// before, under any path: some libraries end the process when they register a
// second time. Returns true if it loaded the library now. Throws what
// TensorFlow reports; the next call then tries again.
bool LoadOpLibrary(const std::string& path, const std::string& digest);

// Returns the registered operations as a serialized tensorflow.OpList.
std::string OperationList();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_OP_LIBRARY_H_
