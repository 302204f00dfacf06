#include "descriptors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "status.h"

namespace tfjs_serving {

namespace {

// The connections that may wait in a socket: as many as Node's default.
constexpr int kBacklog = 511;

#if defined(__linux__)
// The system shares connections among the sockets of one port.
constexpr bool kSharesPort = true;
#else
constexpr bool kSharesPort = false;
#endif

[[noreturn]] void Fail(const char* what) {
  const int error = errno;
  throw StatusError(error == EADDRINUSE ? TF_ALREADY_EXISTS : TF_UNAVAILABLE,
                    std::string(what) + ": " + std::strerror(error));
}

// A descriptor that is closed unless it is taken.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() { CloseDescriptor(descriptor_); }
  Descriptor(Descriptor&& other) noexcept : descriptor_(other.Take()) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;

  int get() const { return descriptor_; }
  int Take() {
    const int taken = descriptor_;
    descriptor_ = -1;
    return taken;
  }

 private:
  int descriptor_;
};

// A program that this process starts must not keep the socket open.
void CloseOnExec(int descriptor) {
  const int flags = fcntl(descriptor, F_GETFD);
  if (flags < 0 || fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) != 0) {
    Fail("fcntl");
  }
}

struct Address {
  sockaddr_storage bytes;
  socklen_t size;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
};

Address ParseAddress(const std::string& text, int port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(text.c_str(), std::to_string(port).c_str(),
                                &hints, &found);
  if (error != 0) {
    throw StatusError(TF_INVALID_ARGUMENT,
                      text + " is no address: " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found,
                                                                 freeaddrinfo);
  Address address{};
  std::memcpy(&address.bytes, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  return address;
}

Descriptor BindSocket(Address& address, bool shares_port) {
  Descriptor socket(
      ::socket(address.get()->sa_family, SOCK_STREAM, IPPROTO_TCP));
  if (socket.get() < 0) Fail("socket");
  CloseOnExec(socket.get());
  const int on = 1;
  // A server that has just ended leaves connections behind that would keep the
  // port for a minute.
  if (setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
    Fail("SO_REUSEADDR");
  }
  if (shares_port && setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on,
                                sizeof(on)) != 0) {
    Fail("SO_REUSEPORT");
  }
  if (bind(socket.get(), address.get(), address.size) != 0) Fail("bind");
  return socket;
}

// Throws if anybody listens on the address. Sockets that share a port do not
// notice those of another server that shares it too.
void RefuseTakenPort(Address& address) {
  const Descriptor socket = BindSocket(address, false);
  if (listen(socket.get(), 1) != 0) Fail("listen");
}

}  // namespace

std::vector<int> OpenPort(const std::string& address_text, int port,
                          int count) {
  Address address = ParseAddress(address_text, port);
  if (port != 0) RefuseTakenPort(address);
  std::vector<Descriptor> sockets;
  const int needed = kSharesPort ? count : 1;
  for (int i = 0; i < needed; ++i) {
    sockets.push_back(BindSocket(address, kSharesPort));
    // The first socket picks the port for the others.
    address.size = sizeof(address.bytes);
    if (getsockname(sockets.front().get(), address.get(), &address.size) != 0) {
      Fail("getsockname");
    }
  }
  std::vector<int> result;
  for (Descriptor& socket : sockets) {
    if (listen(socket.get(), kBacklog) != 0) Fail("listen");
  }
  for (Descriptor& socket : sockets) result.push_back(socket.Take());
  return result;
}

int DuplicateDescriptor(int descriptor) {
  const int duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) Fail("dup");
  return duplicate;
}

std::pair<int, int> OpenSocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) Fail("socketpair");
  Descriptor first(ends[0]);
  Descriptor second(ends[1]);
  CloseOnExec(first.get());
  CloseOnExec(second.get());
  return {first.Take(), second.Take()};
}

void CloseDescriptor(int descriptor) noexcept {
  if (descriptor >= 0) close(descriptor);
}

}  // namespace tfjs_serving
