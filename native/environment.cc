#include "environment.h"

#include <cstring>
#include <utility>

#include "process.h"
#include "run_pool.h"

namespace tfjs_serving {

// An exposed tensor has two owners: Free(), which empties it early, and Node,
// which calls OnCollected() once when the buffer dies.
struct Environment::ExposedTensor {
  std::shared_ptr<Environment> environment;
  Tensor tensor;
};

namespace {

void Check(napi_env env, napi_status status) {
  NAPI_THROW_IF_FAILED_VOID(env, status);
}

}  // namespace

void Environment::Attach(Napi::Env env) {
  auto* const holder = new std::shared_ptr<Environment>(new Environment(env));
  env.SetInstanceData(holder);  // deletes it with the thread
  Environment& self = **holder;
  const Napi::String name = Napi::String::New(env, "tfjs-serving");
  Check(env, napi_create_threadsafe_function(
                 env, nullptr, nullptr, name, /*max_queue_size=*/0,
                 /*initial_thread_count=*/1, nullptr, nullptr, &self, OnBell,
                 &self.bell_));
  Check(env, napi_unref_threadsafe_function(env, self.bell_));
  // Hooks run in reverse order. This one is added after the bell's own, so
  // End() runs before the bell is closed.
  Check(env, napi_add_env_cleanup_hook(env, OnEnd, &self));
  AddEnvironment(&self);
}

Environment& Environment::Of(Napi::Env env) {
  return **env.GetInstanceData<std::shared_ptr<Environment>>();
}

RequestId Environment::Open(Napi::Promise* promise) {
  napi_value value = nullptr;
  Request request{nullptr, nullptr};
  Check(napi_, napi_create_promise(napi_, &request.deferred, &value));
  *promise = Napi::Promise(napi_, value);
  if (requests_.empty()) napi_ref_threadsafe_function(napi_, bell_);
  requests_.emplace(next_request_, request);
  return next_request_++;
}

void Environment::KeepAlive(RequestId request, Napi::Value value) {
  Check(napi_, napi_create_reference(napi_, value, 1,
                                     &requests_.at(request).keep_alive));
}

Environment::Request Environment::Take(RequestId request) {
  const auto found = requests_.find(request);
  const Request taken = found->second;
  requests_.erase(found);
  if (requests_.empty()) napi_unref_threadsafe_function(napi_, bell_);
  if (taken.keep_alive != nullptr) {
    napi_delete_reference(napi_, taken.keep_alive);
  }
  return taken;
}

// Settling fails only in a thread that is being terminated, where nobody waits.
void Environment::Resolve(RequestId request, Napi::Value value) {
  napi_resolve_deferred(napi_, Take(request).deferred, value);
}

void Environment::Reject(RequestId request, Napi::Value error) {
  napi_reject_deferred(napi_, Take(request).deferred, error);
}

void Environment::Reject(RequestId request, const StatusError& error) {
  Reject(request, ToJavaScript(error).Value());
}

Napi::Error Environment::ToJavaScript(const StatusError& error) const {
  Napi::Error result = Napi::Error::New(napi_, error.what());
  result.Set("code", Napi::String::New(napi_, CodeName(error.code())));
  return result;
}

std::shared_ptr<HeldSession> Environment::Hold(SessionReference reference) {
  std::shared_ptr<HeldSession>& held = sessions_[reference.handle()];
  if (held == nullptr) {
    held = std::make_shared<HeldSession>();
    held->session = reference.session();
  }
  held->references.push_back(std::move(reference));
  return held;
}

std::shared_ptr<HeldSession> Environment::Held(SessionHandle handle) const {
  const auto found = sessions_.find(handle);
  if (found == sessions_.end()) {
    throw StatusError(TF_FAILED_PRECONDITION,
                      "this thread holds no reference to session " +
                          std::to_string(handle));
  }
  return found->second;
}

SessionReference Environment::TakeReference(SessionHandle handle) {
  const std::shared_ptr<HeldSession> held = Held(handle);
  SessionReference reference = std::move(held->references.back());
  held->references.pop_back();
  if (held->references.empty()) sessions_.erase(handle);
  return reference;
}

Napi::Value Environment::Expose(Tensor tensor) {
  void* const data = tensor.data();
  const size_t size = tensor.byte_size();
  auto owner = std::make_unique<ExposedTensor>(
      ExposedTensor{shared_from_this(), std::move(tensor)});
  napi_value buffer = nullptr;
  exposed_[data] = owner.get();
  const napi_status status = napi_create_external_arraybuffer(
      napi_, data, size, OnCollected, owner.get(), &buffer);
  if (status == napi_ok) {
    static_cast<void>(owner.release());  // OnCollected() deletes it
    return Napi::Value(napi_, buffer);
  }
  exposed_.erase(data);
  if (status == napi_no_external_buffers_allowed) {
    Napi::ArrayBuffer copy = Napi::ArrayBuffer::New(napi_, size);
    std::memcpy(copy.Data(), data, size);
    return copy;
  }
  // Node calls OnCollected() if it refuses the size (a generic failure), but
  // not if it found the thread ending.
  if (status == napi_generic_failure) {
    owner->tensor = Tensor();
    static_cast<void>(owner.release());
  }
  Check(napi_, status);
  return Napi::Value();
}

void Environment::OnCollected(napi_env, void* data, void* exposed) {
  const std::unique_ptr<ExposedTensor> owner(
      static_cast<ExposedTensor*>(exposed));
  // If it is empty, `data` may already be the key of another tensor.
  if (!owner->tensor.empty()) owner->environment->exposed_.erase(data);
}

void Environment::Free(Napi::ArrayBuffer buffer) {
  const void* const data = buffer.Data();
  buffer.Detach();
  const auto found = exposed_.find(data);
  if (found == exposed_.end()) return;
  found->second->tensor = Tensor();
  exposed_.erase(found);
}

bool Environment::BeginRead() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return false;
  ++reads_;
  return true;
}

void Environment::EndRead() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--reads_ == 0) no_reads_.notify_all();
}

void Environment::Post(std::unique_ptr<Completion> completion) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  completions_.push_back(std::move(completion));
  if (completions_.size() == 1) {
    napi_call_threadsafe_function(bell_, nullptr, napi_tsfn_nonblocking);
  }
}

void Environment::OnBell(napi_env env, napi_value, void* context, void*) {
  // Without an env, the thread is ending and End() has dropped everything.
  if (env != nullptr) static_cast<Environment*>(context)->DeliverAll();
}

void Environment::DeliverAll() {
  std::vector<std::unique_ptr<Completion>> completions;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    completions.swap(completions_);
  }
  for (std::unique_ptr<Completion>& completion : completions) {
    const Napi::HandleScope scope(napi_);
    try {
      try {
        completion->Deliver(*this);
      } catch (const Napi::Error& error) {
        Reject(completion->request(), error.Value());
      } catch (const std::exception&) {
        Reject(completion->request(), CurrentError());
      }
    } catch (const std::exception&) {
      // The thread is being terminated, so not even an error can be made. End()
      // cleans up after the request.
    }
    completion.reset();
  }
}

void Environment::Close() {
  std::vector<std::unique_ptr<Completion>> dropped;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    closed_ = true;
    no_reads_.wait(lock, [this] { return reads_ == 0; });
    dropped.swap(completions_);
  }
  RunPool::Get().Drop(*this);
}

void Environment::OnEnd(void* environment) {
  static_cast<Environment*>(environment)->End();
}

void Environment::End() {
  // RemoveEnvironment() may wait for threads that hold the last shared_ptr.
  const std::shared_ptr<Environment> self = shared_from_this();
  Close();
  for (const auto& [id, request] : requests_) {
    if (request.keep_alive != nullptr) {
      napi_delete_reference(napi_, request.keep_alive);
    }
  }
  requests_.clear();
  // Node may or may not call OnCollected() for these later. Their memory is
  // freed now in either case.
  for (const auto& [data, exposed] : exposed_) exposed->tensor = Tensor();
  exposed_.clear();
  for (const auto& [handle, held] : sessions_) held->references.clear();
  sessions_.clear();
  RemoveEnvironment(this);
}

}  // namespace tfjs_serving
