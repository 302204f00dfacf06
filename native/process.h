// The beginning and the end of the process: TensorFlow's devices, the run pool,
// and the order in which everything stops.
// 
// Our threads that run TensorFlow must end before exit() destroys it: oneDNN
// frees the kernels that it compiled for the runs so far. The end can come in
// three ways:
// 
// - A Node thread ends by itself or is terminated. Its cleanup hook calls
//   RemoveEnvironment(), and the last one stops the threads.
// - process.exit() on the main thread, or an uncaught exception. Node then runs
//   no hooks and goes straight to exit(). But it emits `exit` before, and
//   WatchExit() listens. (An exit handler alone comes too late: the handlers
//   that the first runs register come before it.)
// - exit() from elsewhere. An exit handler does what can still be done.

#ifndef TFJS_SERVING_NATIVE_PROCESS_H_
#define TFJS_SERVING_NATIVE_PROCESS_H_

#include <string>
#include <vector>

#include "javascript.h"
#include "loader.h"

namespace tfjs_serving {

class Environment;

// Keeps this library and TensorFlow in memory for good. Node unloads addons
// that only worker threads loaded, but TensorFlow's threads never end.
void PinLibrary();

// Opens the devices under `config` if this is the first call of the process,
// and starts `run_threads` threads unless they run. Throws what TensorFlow
// reports; the next call then tries again.
std::vector<Device> InitializeProcess(const std::string& config,
                                      int run_threads);

// Throws FAILED_PRECONDITION if InitializeProcess() has not succeeded since the
// process last had no environments, and once the process exits.
void CheckInitialized();

// On the main thread, cancels all runs and joins all threads when the process
// emits `exit`. It does nothing on other threads.
void WatchExit(Napi::Env env);

// Every environment is added when it begins and removed when it ends. When the
// last one is removed, all runs are cancelled and all threads joined.
void AddEnvironment(Environment* environment);
void RemoveEnvironment(Environment* environment);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_PROCESS_H_
