// node-addon-api, as this addon uses it. Include this file, never <napi.h>.

#ifndef TFJS_SERVING_NATIVE_JAVASCRIPT_H_
#define TFJS_SERVING_NATIVE_JAVASCRIPT_H_

// Throwing into a thread that is being terminated is no error of ours. Without
// this, node-addon-api ends the process there.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#endif  // TFJS_SERVING_NATIVE_JAVASCRIPT_H_
