// The exports. Each one reads its arguments, calls the part that does the work,
// and turns its exceptions into JavaScript errors.
// src/engines/tensorflow/native.ts describes them for callers.

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "counters.h"
#include "descriptors.h"
#include "environment.h"
#include "free_memory.h"
#include "guard.h"
#include "javascript.h"
#include "lifecycle.h"
#include "notification.h"
#include "op_library.h"
#include "process.h"
#include "run.h"
#include "run_pool.h"
#include "tensorflow/c/c_api.h"
#include "tensorflow_allocator.h"
#include "threads.h"
#include "unacknowledged.h"
#include "values.h"

namespace tfjs_serving {

namespace {

using CallHolder = std::shared_ptr<const PreparedCall>;

// Marks the objects that prepare() returns, so that run() accepts no others.
constexpr napi_type_tag kPreparedCallTag = {0x6d3f0c6a2e5b4b1d,
                                            0x9a7e41c85f02d3b6};

constexpr int kMaxRunThreads = 1024;

// ---- Two ways to fail --------------------------------------------------------

// For exports that throw: `Body` may throw StatusError.
template <Napi::Value (*Body)(const Napi::CallbackInfo&, Environment&)>
Napi::Value Throwing(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::Of(info.Env());
  try {
    return Body(info, environment);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception&) {
    throw environment.ToJavaScript(CurrentError());
  }
}

// For exports that return a promise: `Body` starts the work that will settle
// the request, or throws, which rejects it.
template <void (*Body)(const Napi::CallbackInfo&, Environment&, RequestId)>
Napi::Value Promising(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::Of(info.Env());
  Napi::Promise promise;
  const RequestId request = environment.Open(&promise);
  try {
    Body(info, environment, request);
  } catch (const Napi::Error& error) {
    environment.Reject(request, error.Value());
  } catch (const std::exception&) {
    environment.Reject(request, CurrentError());
  }
  return promise;
}

// ---- Functions ---------------------------------------------------------------

Napi::Value Initialize(const Napi::CallbackInfo& info, Environment&) {
  const std::string config = ReadBytes(info[0], "config");
  const int64_t run_threads = ReadInteger(info[1], "runThreads");
  if (run_threads < 1 || run_threads > kMaxRunThreads) {
    throw StatusError(TF_INVALID_ARGUMENT,
                      "runThreads must be from 1 to " +
                          std::to_string(kMaxRunThreads));
  }
  const std::vector<Device> devices =
      InitializeProcess(config, static_cast<int>(run_threads));
  const Napi::Array result = Napi::Array::New(info.Env(), devices.size());
  for (size_t i = 0; i < devices.size(); ++i) {
    const Napi::Object device = Napi::Object::New(info.Env());
    device.Set("name", devices[i].name);
    device.Set("type", devices[i].type);
    device.Set("memoryBytes", static_cast<double>(devices[i].memory_bytes));
    result.Set(static_cast<uint32_t>(i), device);
  }
  return result;
}

Napi::Value LoadLibrary(const Napi::CallbackInfo& info, Environment&) {
  const bool loaded = LoadOpLibrary(ReadString(info[0], "path"),
                                    ReadString(info[1], "digest"));
  return Napi::Boolean::New(info.Env(), loaded);
}

Napi::Value RegisterGuardValue(const Napi::CallbackInfo& info, Environment&) {
  RegisterGuard();
  return info.Env().Undefined();
}

Napi::Value ListOperations(const Napi::CallbackInfo& info, Environment&) {
  const std::string list = OperationList();
  return Napi::Buffer<char>::Copy(info.Env(), list.data(), list.size());
}

void LoadSession(const Napi::CallbackInfo& info, Environment& environment,
                 RequestId request) {
  CheckInitialized();
  StartLoad(environment, request, ReadString(info[0], "directory"),
            ReadStrings(info[1], "tags"), ReadBytes(info[2], "config"));
}

Napi::Value RetainSession(const Napi::CallbackInfo& info,
                          Environment& environment) {
  CheckInitialized();
  environment.Hold(SessionReference::Retain(ReadInteger(info[0], "session")));
  return info.Env().Undefined();
}

void ReleaseSession(const Napi::CallbackInfo& info, Environment& environment,
                    RequestId request) {
  StartRelease(environment, request,
               environment.TakeReference(ReadInteger(info[0], "session")));
}

Napi::Value Prepare(const Napi::CallbackInfo& info, Environment& environment) {
  auto held = environment.Held(ReadInteger(info[0], "session"));
  auto holder = std::make_unique<CallHolder>(std::make_shared<PreparedCall>(
      PreparedCall::Find(std::move(held), ReadStrings(info[1], "feeds"),
                         ReadStrings(info[2], "fetches"))));
  const auto call = Napi::External<CallHolder>::New(
      info.Env(), holder.get(),
      [](Napi::Env, CallHolder* collected) { delete collected; });
  static_cast<void>(holder.release());
  call.TypeTag(&kPreparedCallTag);
  return call;
}

CallHolder ReadCall(const Napi::Value& session, const Napi::Value& value) {
  const SessionHandle handle = ReadInteger(session, "session");
  if (!value.IsExternal() ||
      !value.As<Napi::External<CallHolder>>().CheckTypeTag(&kPreparedCallTag)) {
    throw Napi::TypeError::New(value.Env(),
                               "call: expected what prepare() returned");
  }
  CallHolder call = *value.As<Napi::External<CallHolder>>().Data();
  if (call->held->references.empty()) {
    throw StatusError(TF_FAILED_PRECONDITION,
                      "this thread has given back the session of the call");
  }
  if (call->held->references.front().handle() != handle) {
    throw StatusError(TF_FAILED_PRECONDITION,
                      "the call was prepared for another session");
  }
  return call;
}

std::unique_ptr<Run> ReadRun(const Napi::CallbackInfo& info,
                             Environment& environment, RequestId request) {
  CallHolder call = ReadCall(info[0], info[1]);
  Feeds feeds = ReadFeeds(info[2]);
  std::string options =
      info[3].IsNull() ? "" : ReadBytes(info[3], "runOptions");
  auto run = std::make_unique<Run>(environment, request, std::move(call),
                                   std::move(feeds.sources),
                                   std::move(options));
  if (run->needs_sources()) {
    const Napi::Array buffers =
        Napi::Array::New(info.Env(), feeds.buffers.size());
    for (size_t i = 0; i < feeds.buffers.size(); ++i) {
      buffers.Set(static_cast<uint32_t>(i), feeds.buffers[i]);
    }
    environment.KeepAlive(request, buffers);
  }
  return run;
}

void RunSession(const Napi::CallbackInfo& info, Environment& environment,
                RequestId request) {
  RunPool::Get().Add(ReadRun(info, environment, request));
}

Napi::Value RunHere(const Napi::CallbackInfo& info, Environment& environment) {
  constexpr RequestId kNone = 0;
  CallHolder call = ReadCall(info[0], info[1]);
  Feeds feeds = ReadFeeds(info[2]);
  Run run(environment, kNone, std::move(call), std::move(feeds.sources), "");
  return run.ExecuteHere(environment);
}

void RunTraced(const Napi::CallbackInfo& info, Environment& environment,
               RequestId request) {
  const int64_t max_bytes = ReadInteger(info[4], "maxMetadataBytes");
  auto run = ReadRun(info, environment, request);
  run->KeepMetadata(static_cast<size_t>(max_bytes));
  RunPool::Get().Add(std::move(run));
}

void RunInBackground(const Napi::CallbackInfo& info, Environment& environment,
                     RequestId request) {
  // A std::function must be copyable, and so must its captures.
  const auto run = std::make_shared<std::unique_ptr<Run>>(
      ReadRun(info, environment, request));
  StartThread([run] { Run::Execute(std::move(*run)); });
}

Napi::Value Free(const Napi::CallbackInfo& info, Environment& environment) {
  if (!info[0].IsArrayBuffer()) {
    throw Napi::TypeError::New(info.Env(), "data: expected an ArrayBuffer");
  }
  environment.Free(info[0].As<Napi::ArrayBuffer>());
  return info.Env().Undefined();
}

Napi::Value CountersValue(const Napi::CallbackInfo& info, Environment&) {
  const Counters& counters = GlobalCounters();
  const Napi::Object result = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, const std::atomic<int64_t>& value) {
    result.Set(name, static_cast<double>(value));
  };
  set("environments", counters.environments);
  set("sessions", counters.sessions);
  set("runsQueued", counters.runs_queued);
  set("runsInFlight", counters.runs_in_flight);
  set("loadsInFlight", counters.loads_in_flight);
  set("closesInFlight", counters.closes_in_flight);
  set("tensors", counters.tensors);
  set("tensorBytes", counters.tensor_bytes);
  result.Set("arenaBytes", static_cast<double>(ArenaBytes()));
  return result;
}

Napi::Value FreedBytes(const Napi::CallbackInfo& info, Environment&) {
  return Napi::Number::New(info.Env(), static_cast<double>(ArenaFreedBytes()));
}

Napi::Value GiveBackFreeMemory(const Napi::CallbackInfo& info, Environment&) {
  StartThread(GiveBackMemory);
  return info.Env().Undefined();
}

Napi::Value Unacknowledged(const Napi::CallbackInfo& info, Environment&) {
  const auto descriptor = static_cast<int>(ReadInteger(info[0], "descriptor"));
  return Napi::Number::New(
      info.Env(), static_cast<double>(UnacknowledgedBytes(descriptor)));
}

int ReadDescriptor(const Napi::Value& value) {
  return static_cast<int>(ReadInteger(value, "descriptor"));
}

Napi::Array DescriptorsOf(Napi::Env env, const std::vector<int>& descriptors) {
  const Napi::Array result = Napi::Array::New(env, descriptors.size());
  for (size_t i = 0; i < descriptors.size(); ++i) {
    result.Set(static_cast<uint32_t>(i), descriptors[i]);
  }
  return result;
}

Napi::Value OpenPortValue(const Napi::CallbackInfo& info, Environment&) {
  const std::string address = ReadString(info[0], "address");
  const int port = static_cast<int>(ReadInteger(info[1], "port"));
  const int count = static_cast<int>(ReadInteger(info[2], "count"));
  return DescriptorsOf(info.Env(), OpenPort(address, port, count));
}

Napi::Value Duplicate(const Napi::CallbackInfo& info, Environment&) {
  return Napi::Number::New(info.Env(),
                           DuplicateDescriptor(ReadDescriptor(info[0])));
}

Napi::Value OpenPair(const Napi::CallbackInfo& info, Environment&) {
  const auto [first, second] = OpenSocketPair();
  return DescriptorsOf(info.Env(), {first, second});
}

Napi::Value Close(const Napi::CallbackInfo& info, Environment&) {
  CloseDescriptor(ReadDescriptor(info[0]));
  return info.Env().Undefined();
}

Napi::Value Notify(const Napi::CallbackInfo& info, Environment&) {
  SendNotification(ReadString(info[0], "path"),
                   ReadString(info[1], "message"));
  return info.Env().Undefined();
}

Napi::Value ExitNow(const Napi::CallbackInfo& info, Environment&) {
  _exit(static_cast<int>(ReadInteger(info[0], "code") & 0xff));
}

template <Napi::Value (*Function)(const Napi::CallbackInfo&)>
void Export(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<Function>(exports.Env(), name));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  PinLibrary();
  Environment::Attach(env);
  WatchExit(env);
  exports.Set("tensorflowVersion", TF_Version());
  exports.Set("exposedBytes", static_cast<double>(Run::kExposeBytes));
  Export<Throwing<Initialize>>(exports, "initialize");
  Export<Throwing<LoadLibrary>>(exports, "loadOpLibrary");
  Export<Throwing<ListOperations>>(exports, "operationList");
  Export<Throwing<RegisterGuardValue>>(exports, "registerGuard");
  Export<Promising<LoadSession>>(exports, "loadSession");
  Export<Throwing<RetainSession>>(exports, "retainSession");
  Export<Promising<ReleaseSession>>(exports, "releaseSession");
  Export<Throwing<Prepare>>(exports, "prepare");
  Export<Promising<RunSession>>(exports, "run");
  Export<Throwing<RunHere>>(exports, "runHere");
  Export<Promising<RunTraced>>(exports, "runTraced");
  Export<Promising<RunInBackground>>(exports, "runInBackground");
  Export<Throwing<Free>>(exports, "free");
  Export<Throwing<CountersValue>>(exports, "counters");
  Export<Throwing<FreedBytes>>(exports, "freedBytes");
  Export<Throwing<GiveBackFreeMemory>>(exports, "giveBackFreeMemory");
  Export<Throwing<Unacknowledged>>(exports, "unacknowledged");
  Export<Throwing<OpenPortValue>>(exports, "openPort");
  Export<Throwing<Duplicate>>(exports, "duplicateDescriptor");
  Export<Throwing<OpenPair>>(exports, "openSocketPair");
  Export<Throwing<Close>>(exports, "closeDescriptor");
  Export<Throwing<Notify>>(exports, "notify");
  Export<Throwing<ExitNow>>(exports, "exitNow");
  return exports;
}

}  // namespace

NODE_API_MODULE(tfjs_serving, Init)

}  // namespace tfjs_serving
