// The process-wide beginning and end: TensorFlow's devices, the run pool, and
// the order in which everything stops.
//
// Threads of ours that run TensorFlow must have ended before exit() takes it
// apart: oneDNN frees the kernels it compiled for the runs so far. There are
// three ways to get there:
//
//   - A Node thread ends by itself or is terminated: its cleanup hook says so
//     through RemoveEnvironment(), and the last one stops the threads.
//   - process.exit() on the main thread, or an exception nobody catches: Node
//     runs no hooks and goes straight to exit(). But it emits `exit` before, and
//     WatchExit() listens. (An exit handler alone comes too late: those that the
//     first runs register come before it.)
//   - exit() from elsewhere: an exit handler does what still can be done.

#ifndef TFJS_SERVING_NATIVE_PROCESS_H_
#define TFJS_SERVING_NATIVE_PROCESS_H_

#include <string>
#include <vector>

#include "javascript.h"
#include "loader.h"

namespace tfjs_serving {

class Environment;

// Keeps this library and TensorFlow in memory for good. Node unloads addons
// that only worker threads loaded, and TensorFlow's threads never end.
void PinLibrary();

// Opens the devices under `config` if this is the first call of the process,
// and starts `run_threads` threads unless they run. Throws what TensorFlow
// reports; the next call then tries again.
std::vector<Device> InitializeProcess(const std::string& config,
                                      int run_threads);

// Throws FAILED_PRECONDITION unless InitializeProcess() has succeeded, again
// after the process was without environments; and once it exits.
void CheckInitialized();

// Arranges, on the main thread of the process, for all runs to be cancelled and
// all threads joined when it emits `exit`. Does nothing on other threads.
void WatchExit(Napi::Env env);

// Every environment is added when it begins and removed when it ends. With the
// last one all runs are cancelled and all threads joined.
void AddEnvironment(Environment* environment);
void RemoveEnvironment(Environment* environment);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_PROCESS_H_
