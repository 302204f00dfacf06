#include "notification.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "status.h"

namespace tfjs_serving {

void SendNotification(const std::string& path, const std::string& message) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    throw StatusError(TF_INVALID_ARGUMENT,
                      "the path of a socket is empty or too long");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) +
                                           path.size());
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (descriptor < 0) {
    throw StatusError(TF_UNAVAILABLE, std::strerror(errno));
  }
  // A program that is started at this moment would only hold it for a while.
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  const ssize_t sent =
      sendto(descriptor, message.data(), message.size(), MSG_DONTWAIT,
             reinterpret_cast<const sockaddr*>(&address), size);
  const int error = errno;
  close(descriptor);
  if (sent < 0) throw StatusError(TF_UNAVAILABLE, std::strerror(error));
}

}  // namespace tfjs_serving
