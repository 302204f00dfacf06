// Converts JavaScript values to C++ and back. Only the Node thread uses it.
// 
// The Read functions throw a JavaScript TypeError that names the argument if a
// value has the wrong type.

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

// Reads a string without NUL. These become paths and names, which C would cut
// there.
std::string ReadString(Napi::Value value, const std::string& name);

std::vector<std::string> ReadStrings(Napi::Value value, const std::string& name);

// Reads an integer from 0 to 2^53 - 1.
int64_t ReadInteger(Napi::Value value, const std::string& name);

// Copies the bytes of a Uint8Array.
std::string ReadBytes(Napi::Value value, const std::string& name);

// The feeds of a run. JavaScript still owns their bytes.
struct Feeds {
  std::vector<TensorSource> sources;
  std::vector<Napi::Value> buffers;  // what to keep alive for them
};
Feeds ReadFeeds(Napi::Value value);

Napi::Value ShapeValue(Napi::Env env, const std::vector<int64_t>& shape);

// Makes a Uint8Array over `size` bytes of an ArrayBuffer.
Napi::Value BytesValue(Napi::Env env, Napi::Value buffer, size_t offset,
                       size_t size);

// Copies the bytes of a fixed-width tensor into a Uint8Array.
Napi::Value CopiedValue(Napi::Env env, const Tensor& tensor);

// Copies the bytes of a serialized message into a Uint8Array.
Napi::Value CopiedValue(Napi::Env env, const Buffer& buffer);

// Copies the elements of a TF_STRING tensor into an Array of Uint8Arrays, all
// on one ArrayBuffer.
Napi::Value StringsValue(Napi::Env env, const Tensor& tensor);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_VALUES_H_
