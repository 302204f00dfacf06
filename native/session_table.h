// The sessions of the process by handle, and the references to them.
// 
// A session lives as long as there are references to it. While one exists, any
// thread may take another by handle. When the last one goes, the session is
// closed on a thread of its own, after its last run.

#ifndef TFJS_SERVING_NATIVE_SESSION_TABLE_H_
#define TFJS_SERVING_NATIVE_SESSION_TABLE_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "session.h"

namespace tfjs_serving {

// Positive, never used twice, and small enough for a JavaScript number.
using SessionHandle = int64_t;

// One reference to one session. It is movable, and empty after a move or
// GiveBack(). The destructor gives the reference back and waits for nothing.
class SessionReference {
 public:
  // Adds a session under a new handle. Returns the first reference.
  static SessionReference Add(std::unique_ptr<Session> session);

  // Returns another reference. Throws NOT_FOUND if nobody holds a session with
  // this handle.
  static SessionReference Retain(SessionHandle handle);

  SessionReference() = default;
  SessionReference(SessionReference&& other) noexcept;
  SessionReference& operator=(SessionReference&& other) noexcept;
  ~SessionReference() { GiveBack(nullptr); }

  SessionHandle handle() const { return handle_; }
  const std::shared_ptr<Session>& session() const { return session_; }

  // Gives the reference back, and calls `done` (unless null) once that has
  // taken full effect. It is called here and now while others hold the session,
  // and on the closing thread if this was the last. `done` must not throw.
  void GiveBack(std::function<void()> done) noexcept;

 private:
  SessionReference(SessionHandle handle, std::shared_ptr<Session> session);

  SessionHandle handle_ = 0;
  std::shared_ptr<Session> session_;
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_SESSION_TABLE_H_
