// JavaScript values to C++ and back. Node thread only.
//
// The Read functions throw a JavaScript TypeError that names the argument when
// a value is of the wrong type.

#ifndef TFJS_SERVING_NATIVE_VALUES_H_
#define TFJS_SERVING_NATIVE_VALUES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "buffer.h"
#include "javascript.h"
#include "tensor.h"
#include "tensor_bytes.h"

namespace tfjs_serving {

// A string without NUL: these become paths and names, and C would cut it there.
std::string ReadString(Napi::Value value, const std::string& name);

std::vector<std::string> ReadStrings(Napi::Value value, const std::string& name);

// An integer from 0 to 2^53 - 1.
int64_t ReadInteger(Napi::Value value, const std::string& name);

// The bytes of a Uint8Array, copied.
std::string ReadBytes(Napi::Value value, const std::string& name);

// The feeds of a run, their bytes still where JavaScript has them.
struct Feeds {
  std::vector<TensorSource> sources;
  std::vector<Napi::Value> buffers;  // what to keep alive for them
};
Feeds ReadFeeds(Napi::Value value);

Napi::Value ShapeValue(Napi::Env env, const std::vector<int64_t>& shape);

// A Uint8Array over `size` bytes of an ArrayBuffer.
Napi::Value BytesValue(Napi::Env env, Napi::Value buffer, size_t offset,
                       size_t size);

// The bytes of a tensor of fixed width as a Uint8Array, copied.
Napi::Value CopiedValue(Napi::Env env, const Tensor& tensor);

// The bytes of a serialized message likewise.
Napi::Value CopiedValue(Napi::Env env, const Buffer& buffer);

// The elements of a TF_STRING tensor as an Array of Uint8Arrays, all on one
// ArrayBuffer.
Napi::Value StringsValue(Napi::Env env, const Tensor& tensor);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_VALUES_H_
