// Sockets that several event loops of the process share.
//
// Node closes a descriptor together with the thread that uses it. So every
// thread gets a duplicate, and the port itself stays open: connections that
// wait in it are kept for the thread that comes next.

#ifndef TFJS_SERVING_NATIVE_DESCRIPTORS_H_
#define TFJS_SERVING_NATIVE_DESCRIPTORS_H_

#include <string>
#include <utility>
#include <vector>

namespace tfjs_serving {

// Opens `count` sockets that listen on one address and port, so that the system
// shares connections among them. Where the system cannot do that, there is one
// socket. Port 0 picks a free one for all of them. Throws StatusError:
// ALREADY_EXISTS if anybody listens there, UNAVAILABLE for other failures.
std::vector<int> OpenPort(const std::string& address, int port, int count);

// Returns a second descriptor of the same socket. Throws StatusError.
int DuplicateDescriptor(int descriptor);

// Returns the two ends of a new connection within the process. Throws
// StatusError.
std::pair<int, int> OpenSocketPair();

void CloseDescriptor(int descriptor) noexcept;

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_DESCRIPTORS_H_
