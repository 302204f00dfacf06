#include "session.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <unordered_set>
#include <utility>

namespace tfjs_serving {

namespace {

// Every session whose TF_Session exists, for CancelAll(). It is never
// destroyed, so that it can be used while the process exits.
struct OpenSessions {
  std::mutex mutex;
  std::unordered_set<TF_Session*> sessions;
};

OpenSessions& AllOpen() {
  static OpenSessions& open = *new OpenSessions;
  return open;
}

// Splits "name:index". The index is the digits after the last colon, if there
// are any.
std::pair<std::string, int> SplitTensorName(const std::string& name) {
  const size_t colon = name.rfind(':');
  if (colon == std::string::npos || colon + 1 == name.size() ||
      name.size() - colon > 9 ||
      !std::all_of(name.begin() + static_cast<std::ptrdiff_t>(colon) + 1,
                   name.end(),
                   [](unsigned char c) { return std::isdigit(c) != 0; })) {
    return {name, 0};
  }
  return {name.substr(0, colon), std::stoi(name.substr(colon + 1))};
}

}  // namespace

Session::Session(TF_Graph* graph, TF_Session* session)
    : graph_(graph), session_(session) {
  ++GlobalCounters().sessions;
  const std::lock_guard<std::mutex> lock(AllOpen().mutex);
  AllOpen().sessions.insert(session_);
}

Session::~Session() { Close(); }

TF_Output Session::FindTensor(const std::string& name) const {
  const auto [operation_name, index] = SplitTensorName(name);
  TF_Operation* const operation =
      TF_GraphOperationByName(graph_, operation_name.c_str());
  if (operation == nullptr) {
    throw StatusError(TF_NOT_FOUND,
                      "the graph has no operation " + operation_name);
  }
  if (index >= TF_OperationNumOutputs(operation)) {
    throw StatusError(TF_NOT_FOUND, "operation " + operation_name +
                                        " has no output " +
                                        std::to_string(index));
  }
  return TF_Output{operation, index};
}

bool Session::BeginRun() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closing_) return false;
  ++runs_;
  return true;
}

void Session::EndRun() {
  const std::lock_guard<std::mutex> lock(mutex_);
  // We notify under the lock, because Close() may free this as soon as it sees
  // zero.
  if (--runs_ == 0) idle_.notify_all();
}

std::vector<Tensor> Session::Run(const std::vector<TF_Output>& feeds,
                                 const std::vector<Tensor>& values,
                                 const std::vector<TF_Output>& fetches,
                                 const std::string& options,
                                 Buffer* metadata) {
  std::vector<TF_Tensor*> inputs(values.size());
  std::transform(values.begin(), values.end(), inputs.begin(),
                 [](const Tensor& value) { return value.get(); });
  std::vector<TF_Tensor*> outputs(fetches.size(), nullptr);
  std::vector<Tensor> results;
  results.reserve(fetches.size());
  const Buffer run_options(
      options.empty()
          ? nullptr
          : TF_NewBufferFromString(options.data(), options.size()));
  if (metadata != nullptr) metadata->reset(TF_NewBuffer());
  const Status status;
  TF_SessionRun(session_, run_options.get(), feeds.data(), inputs.data(),
                static_cast<int>(feeds.size()), fetches.data(), outputs.data(),
                static_cast<int>(fetches.size()), nullptr, 0,
                metadata == nullptr ? nullptr : metadata->get(), status.get());
  // We own the outputs before anything can throw. All are null if the run
  // failed.
  for (TF_Tensor* const output : outputs) results.emplace_back(output);
  status.Check();
  return results;
}

void Session::Close() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (closing_) return;
    closing_ = true;
    idle_.wait(lock, [this] { return runs_ == 0; });
  }
  {
    const std::lock_guard<std::mutex> lock(AllOpen().mutex);
    AllOpen().sessions.erase(session_);
  }
  // The results of these calls help nobody, since the session goes in any case.
  TF_CloseSession(session_, Status().get());
  TF_DeleteSession(session_, Status().get());
  TF_DeleteGraph(graph_);
  --GlobalCounters().sessions;
}

void Session::CancelAll() {
  const std::lock_guard<std::mutex> lock(AllOpen().mutex);
  for (TF_Session* const session : AllOpen().sessions) {
    TF_CloseSession(session, Status().get());
  }
}

RunPermit::RunPermit(std::shared_ptr<Session> session) {
  if (!session->BeginRun()) {
    throw StatusError(TF_FAILED_PRECONDITION, "the session is closed");
  }
  session_ = std::move(session);
}

void RunPermit::Return() {
  if (session_ == nullptr) return;
  session_->EndRun();
  session_.reset();
}

}  // namespace tfjs_serving
