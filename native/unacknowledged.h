// Asks the system what has been sent and not yet received.

#ifndef TFJS_SERVING_NATIVE_UNACKNOWLEDGED_H_
#define TFJS_SERVING_NATIVE_UNACKNOWLEDGED_H_

#include <cstdint>

namespace tfjs_serving {

// The bytes of a TCP connection that the system has taken and the other side
// has not acknowledged; -1 if the system does not tell.
int64_t UnacknowledgedBytes(int descriptor);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_UNACKNOWLEDGED_H_
