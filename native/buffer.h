// Buffer owns one TF_Buffer: a serialized message for TensorFlow, or from it.

#ifndef TFJS_SERVING_NATIVE_BUFFER_H_
#define TFJS_SERVING_NATIVE_BUFFER_H_

#include <memory>

#include "tensorflow/c/tf_buffer.h"

namespace tfjs_serving {

struct BufferDeleter {
  void operator()(TF_Buffer* buffer) const { TF_DeleteBuffer(buffer); }
};

// It may be empty.
using Buffer = std::unique_ptr<TF_Buffer, BufferDeleter>;

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_BUFFER_H_
