// Threads for the rare and slow: one per load, one per close, so that one that
// hangs (a dead network mount) delays nobody else.

#ifndef TFJS_SERVING_NATIVE_THREADS_H_
#define TFJS_SERVING_NATIVE_THREADS_H_

#include <functional>

namespace tfjs_serving {

// Runs `work` on a thread of its own. `work` must not throw. Throws
// RESOURCE_EXHAUSTED, with `work` not run, if there is no thread to be had.
void StartThread(std::function<void()> work);

// Waits until every thread ever started has ended, those they start meanwhile
// included. Not from such a thread.
void JoinThreads();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_THREADS_H_
