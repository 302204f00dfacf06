// Environment: what the native part keeps for one Node thread.
//
// Node may end a thread at any moment, with work of that thread under way on
// threads of ours. The rules that make this safe:
//
//   - Whatever belongs to JavaScript (promises, references to buffers) stays in
//     here and is touched by the Node thread only. Work carries a RequestId.
//   - Other threads read JavaScript memory only between BeginRead() and
//     EndRead(), and report only through Post().
//   - When Node ends the thread, End() first marks the environment closed and
//     waits for the reads under way (copies: short). From then on BeginRead()
//     refuses and Post() throws the completion away, so nothing of Node's is
//     touched again, whatever is still running.
//
// Work holds a shared_ptr, so the object outlives the thread it stands for.

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

// A promise that is still open.
using RequestId = uint64_t;

// Work that is done and has something to say to its Node thread.
class Completion {
 public:
  explicit Completion(RequestId request) : request_(request) {}
  virtual ~Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  RequestId request() const { return request_; }

  // On the Node thread, once: settles request(). A Napi::Error it throws rejects
  // the request. Never called if the environment ended first; the destructor
  // must free everything then, on whatever thread.
  virtual void Deliver(Environment& environment) = 0;

 private:
  const RequestId request_;
};

// What one Node thread holds of one session. Node thread only.
struct HeldSession {
  std::vector<SessionReference> references;  // empty: all given back
  std::shared_ptr<Session> session;
};

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  // Makes the environment of the calling Node thread and arranges for its end.
  static void Attach(Napi::Env env);

  // That of the calling Node thread.
  static Environment& Of(Napi::Env env);

  // ---- Node thread only -----------------------------------------------------

  Napi::Env napi() const { return napi_; }

  // Opens a request; the process stays alive until it is settled.
  RequestId Open(Napi::Promise* promise);

  // Keeps `value` from the collector until the request is settled.
  void KeepAlive(RequestId request, Napi::Value value);

  void Resolve(RequestId request, Napi::Value value);
  void Reject(RequestId request, Napi::Value error);
  void Reject(RequestId request, const StatusError& error);

  // A JavaScript Error with the message and, as `code`, the code's name.
  Napi::Error ToJavaScript(const StatusError& error) const;

  // The sessions this thread holds references to.
  std::shared_ptr<HeldSession> Hold(SessionReference reference);
  // Throws FAILED_PRECONDITION if there is none of this handle.
  std::shared_ptr<HeldSession> Held(SessionHandle handle) const;
  // The reference to give back; same error.
  SessionReference TakeReference(SessionHandle handle);

  // An ArrayBuffer over the tensor's memory, which must be nobody else's. Freed
  // by Free() or by the collector; copied where Node allows no such buffers.
  Napi::Value Expose(Tensor tensor);

  // Detaches `buffer`; if it came from Expose(), frees the tensor now.
  void Free(Napi::ArrayBuffer buffer);

  // ---- any thread -----------------------------------------------------------

  // False once the environment has ended.
  bool BeginRead();
  void EndRead();

  // Hands over a completion, or destroys it here if the environment has ended.
  void Post(std::unique_ptr<Completion> completion) noexcept;

  // Marks the environment closed, waits for reads, drops what waits for it.
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

  // Node thread only.
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
  // Rung for the first completion of an empty list, so that any number of them
  // costs one wake-up. Node frees it after End(): rung under mutex_ while not
  // closed_, never later.
  napi_threadsafe_function bell_ = nullptr;
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_ENVIRONMENT_H_
