#include "process.h"

#include <dlfcn.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <pthread.h>
#elif defined(__linux__)
#include <sys/syscall.h>
#endif

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "allocator.h"
#include "environment.h"
#include "run_pool.h"
#include "tensorflow_allocator.h"
#include "threads.h"

namespace tfjs_serving {

namespace {

struct Process {
  std::mutex mutex;
  // Guarded by mutex.
  std::unordered_set<Environment*> environments;
  std::vector<Device> devices;
  bool devices_open = false;
  bool running = false;
  bool exiting = false;
};

// Never destroyed, because it is used while the process exits.
Process& TheProcess() {
  static Process& process = *new Process;
  return process;
}

// Stops the threads. Every environment is closed, so nobody adds work. The
// caller holds the mutex.
void StopThreads(Process* process) {
  process->running = false;
  Session::CancelAll();
  RunPool::Get().Stop();
  JoinThreads();
}

// Worker threads of Node may still run JavaScript. Their requests are refused
// from now on, or never run.
void StopForExit() {
  Process& process = TheProcess();
  const std::lock_guard<std::mutex> lock(process.mutex);
  process.exiting = true;
  for (Environment* const environment : process.environments) {
    environment->Close();
  }
  StopThreads(&process);
}

bool OnMainThread() {
#if defined(__APPLE__)
  return pthread_main_np() != 0;
#elif defined(__linux__)
  return syscall(SYS_gettid) == getpid();
#else
  return false;
#endif
}

// How long an exit waits for threads. A run or a load may never end.
constexpr std::chrono::seconds kLongestExit{5};

// Gets the exit code.
void OnExitEvent(const Napi::CallbackInfo& info) {
  const int code =
      info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : 0;
  std::thread([code] {
    std::this_thread::sleep_for(kLongestExit);
    _exit(code & 0xff);
  }).detach();
  StopForExit();
}

}  // namespace

void PinLibrary() {
  static const bool pinned = [] {
    Dl_info info;
    return dladdr(reinterpret_cast<void*>(&PinLibrary), &info) != 0 &&
           dlopen(info.dli_fname, RTLD_NOW | RTLD_NODELETE) != nullptr;
  }();
  static_cast<void>(pinned);
}

std::vector<Device> InitializeProcess(const std::string& config,
                                      int run_threads) {
  Process& process = TheProcess();
  const std::lock_guard<std::mutex> lock(process.mutex);
  if (process.exiting) {
    throw StatusError(TF_FAILED_PRECONDITION, "the process is exiting");
  }
  if (!process.devices_open) {
    TuneAllocator();
    UseOurArena();
    process.devices = OpenDevices(config);
    process.devices_open = true;
    // This is registered now, so that it runs before the handlers that
    // TensorFlow has registered so far.
    std::atexit(StopForExit);
  }
  RunPool::Get().Start(run_threads);
  process.running = true;
  return process.devices;
}

void CheckInitialized() {
  Process& process = TheProcess();
  const std::lock_guard<std::mutex> lock(process.mutex);
  if (!process.running) {
    throw StatusError(TF_FAILED_PRECONDITION, "call initialize() first");
  }
}

void WatchExit(Napi::Env env) {
  if (!OnMainThread()) return;
  const auto process = env.Global().Get("process").As<Napi::Object>();
  process.Get("on").As<Napi::Function>().Call(
      process, {Napi::String::New(env, "exit"),
                Napi::Function::New<OnExitEvent>(env)});
}

void AddEnvironment(Environment* environment) {
  Process& process = TheProcess();
  const std::lock_guard<std::mutex> lock(process.mutex);
  process.environments.insert(environment);
  ++GlobalCounters().environments;
}

void RemoveEnvironment(Environment* environment) {
  Process& process = TheProcess();
  const std::lock_guard<std::mutex> lock(process.mutex);
  process.environments.erase(environment);
  --GlobalCounters().environments;
  if (process.environments.empty()) StopThreads(&process);
}

}  // namespace tfjs_serving
