// The requests that open and give back sessions, each on a thread of its own.
// Only the Node thread calls these functions.

#ifndef TFJS_SERVING_NATIVE_LIFECYCLE_H_
#define TFJS_SERVING_NATIVE_LIFECYCLE_H_

#include <string>
#include <vector>

#include "environment.h"

namespace tfjs_serving {

// Resolves `request` with the handle of the loaded session. The environment
// then holds the first reference. If the environment ends first, the session is
// closed as soon as it is loaded. Throws RESOURCE_EXHAUSTED.
void StartLoad(Environment& environment, RequestId request,
               std::string directory, std::vector<std::string> tags,
               std::string config);

// Resolves `request` with undefined once the reference is given back. If it was
// the last, the session has been closed by then.
void StartRelease(Environment& environment, RequestId request,
                  SessionReference reference);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_LIFECYCLE_H_
