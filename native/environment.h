// Environment: what the native part keeps for one Node thread.
// 
// Node may end a thread at any moment, while our threads work for it. These
// rules make that safe:
// 
// - Everything that belongs to JavaScript (promises, references to buffers)
//   stays in here, and only the Node thread touches it. Work carries a
//   RequestId.
// - Other threads read JavaScript memory only between BeginRead() and
//   EndRead(), and report only through Post().
// - When Node ends the thread, End() first marks the environment closed and
//   waits for the reads under way, which are short copies. From then on
//   BeginRead() returns false and Post() destroys the completion. So nothing of
//   Node's is touched again, whatever is still running.
// 
// Work holds a shared_ptr, so the object outlives its thread.

#ifndef TFJS_SERVING_NATIVE_ENVIRONMENT_H_
#define TFJS_SERVING_NATIVE_ENVIRONMENT_H_

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "javascript.h"
#include "session_table.h"
#include "status.h"
#include "tensor.h"

namespace tfjs_serving {

class Environment;

// The id of a promise that is not settled.
using RequestId = uint64_t;

// Finished work that reports to its Node thread.
class Completion {
 public:
  explicit Completion(RequestId request) : request_(request) {}
  virtual ~Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  RequestId request() const { return request_; }

  // Settles request(). It is called once, on the Node thread. If it throws a
  // Napi::Error, the request is rejected. It is never called if the environment
  // ended first. Then the destructor must free everything, on any thread.
  virtual void Deliver(Environment& environment) = 0;

 private:
  const RequestId request_;
};

// The references of one Node thread to one session. Only the Node thread uses
// it.
struct HeldSession {
  std::vector<SessionReference> references;  // empty: all given back
  std::shared_ptr<Session> session;
};

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  // Makes the environment of the calling Node thread, and arranges for its end.
  static void Attach(Napi::Env env);

  // Returns the environment of the calling Node thread.
  static Environment& Of(Napi::Env env);

  // ---- Node thread only -----------------------------------------------------

  Napi::Env napi() const { return napi_; }

  // Opens a request. The process stays alive until the request is settled.
  RequestId Open(Napi::Promise* promise);

  // Keeps `value` from the garbage collector until the request is settled.
  void KeepAlive(RequestId request, Napi::Value value);

  void Resolve(RequestId request, Napi::Value value);
  void Reject(RequestId request, Napi::Value error);
  void Reject(RequestId request, const StatusError& error);

  // Makes a JavaScript Error with the message, and with the name of the code as
  // `code`.
  Napi::Error ToJavaScript(const StatusError& error) const;

  // Keeps a reference for this thread.
  std::shared_ptr<HeldSession> Hold(SessionReference reference);
  // Returns the session with this handle. Throws FAILED_PRECONDITION if this
  // thread holds none.
  std::shared_ptr<HeldSession> Held(SessionHandle handle) const;
  // Takes the reference out, to be given back. Throws the same error.
  SessionReference TakeReference(SessionHandle handle);

  // Makes an ArrayBuffer over the memory of a tensor, which nobody else may
  // use. Free() or the garbage collector frees it. The bytes are copied if Node
  // allows no such buffers.
  Napi::Value Expose(Tensor tensor);

  // Detaches `buffer`. If it came from Expose(), the tensor is freed now.
  void Free(Napi::ArrayBuffer buffer);

  // ---- any thread -----------------------------------------------------------

  // Returns false once the environment has ended.
  bool BeginRead();
  void EndRead();

  // Passes a completion to the Node thread, or destroys it here if the
  // environment has ended.
  void Post(std::unique_ptr<Completion> completion) noexcept;

  // Marks the environment closed, waits for reads, and drops waiting
  // completions.
  void Close();

 private:
  struct Request {
    napi_deferred deferred;
    napi_ref keep_alive;  // null if there is nothing to keep
  };
  struct ExposedTensor;

  explicit Environment(Napi::Env env) : napi_(env) {}

  static void OnBell(napi_env env, napi_value, void* context, void*);
  static void OnEnd(void* environment);
  static void OnCollected(napi_env, void* data, void* exposed);
  void DeliverAll();
  void End();
  Request Take(RequestId request);

  const Napi::Env napi_;

  // Only the Node thread uses these.
  std::unordered_map<RequestId, Request> requests_;
  RequestId next_request_ = 1;
  std::unordered_map<SessionHandle, std::shared_ptr<HeldSession>> sessions_;
  std::unordered_map<const void*, ExposedTensor*> exposed_;

  std::mutex mutex_;
  std::condition_variable no_reads_;
  // Guarded by mutex_.
  bool closed_ = false;
  int reads_ = 0;
  std::vector<std::unique_ptr<Completion>> completions_;
  // Rung for the first completion in an empty list, so that any number of them
  // costs one wake-up. Node frees it after End(). It is rung under mutex_ and
  // only while not closed_.
  napi_threadsafe_function bell_ = nullptr;
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_ENVIRONMENT_H_
