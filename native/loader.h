// Opens TensorFlow sessions. Both functions block as long as TensorFlow and the
// disk need. Call LoadSession() on a thread that may wait.

#ifndef TFJS_SERVING_NATIVE_LOADER_H_
#define TFJS_SERVING_NATIVE_LOADER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "session.h"

namespace tfjs_serving {

struct Device {
  std::string name;  // "/job:localhost/replica:0/task:0/device:CPU:0"
  std::string type;  // "CPU", "GPU", ...
  int64_t memory_bytes;
};

// Opens a session with an empty graph under `config` (a serialized
// tensorflow.ConfigProto), lists its devices and closes it. TensorFlow sets up
// devices and the shared thread pool with the first session of the process. So
// the options for the process take effect here and never again.
std::vector<Device> OpenDevices(const std::string& config);

// Loads the meta graph with exactly `tags` from the SavedModel in `directory`,
// and restores its variables. TensorFlow reports success even if the variables
// are missing; the runs fail then. Throws what TensorFlow reports.
std::unique_ptr<Session> LoadSession(const std::string& directory,
                                     const std::vector<std::string>& tags,
                                     const std::string& config);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_LOADER_H_
