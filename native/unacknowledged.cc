#include "unacknowledged.h"

#if defined(__linux__)
#include <linux/sockios.h>
#include <sys/ioctl.h>
#elif defined(__APPLE__)
#include <sys/socket.h>
#endif

namespace tfjs_serving {

int64_t UnacknowledgedBytes(int descriptor) {
  int bytes = -1;
#if defined(__linux__)
  if (ioctl(descriptor, SIOCOUTQ, &bytes) != 0) return -1;
#elif defined(__APPLE__)
  socklen_t size = sizeof(bytes);
  if (getsockopt(descriptor, SOL_SOCKET, SO_NWRITE, &bytes, &size) != 0) {
    return -1;
  }
#endif
  return bytes;
}

}  // namespace tfjs_serving
