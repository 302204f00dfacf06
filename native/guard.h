// TfjsServingGuard: an operation that checks the inputs of another one, and
// fails where TensorFlow would end the process.
// src/engines/tensorflow/graph/guards inserts it into graphs.

#ifndef TFJS_SERVING_NATIVE_GUARD_H_
#define TFJS_SERVING_NATIVE_GUARD_H_

namespace tfjs_serving {

// Registers the operation with TensorFlow, once for the process. Throws
// StatusError.
void RegisterGuard();

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_GUARD_H_
