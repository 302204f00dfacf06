// Tells a service manager how the service is, by a datagram as sd_notify(3)
// describes it.

#ifndef TFJS_SERVING_NATIVE_NOTIFICATION_H_
#define TFJS_SERVING_NATIVE_NOTIFICATION_H_

#include <string>

namespace tfjs_serving {

// Sends a message to a UNIX datagram socket, without waiting for room. `path`
// is that of a file, or begins with `@` for a name in the abstract namespace of
// Linux. Throws StatusError if it cannot be sent.
void SendNotification(const std::string& path, const std::string& message);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_NOTIFICATION_H_
