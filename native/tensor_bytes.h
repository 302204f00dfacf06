// Bytes into tensors, and tensors into memory that may be given away.
//
// Knows no JavaScript: what a Node thread found under its Uint8Arrays arrives
// here as ByteRanges. Any thread.

#ifndef TFJS_SERVING_NATIVE_TENSOR_BYTES_H_
#define TFJS_SERVING_NATIVE_TENSOR_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor.h"
#include "tensorflow/c/tf_datatype.h"

namespace tfjs_serving {

// Borrowed memory; whoever made the range says how long it lives.
struct ByteRange {
  const uint8_t* data;
  size_t size;
};

// A tensor that is still bytes somewhere else.
//
// Fixed-width dtypes: the ranges, one after the other, are the elements in row
// major order, little-endian, at any alignment. TF_STRING: one range is one
// element.
struct TensorSource {
  TF_DataType dtype;
  std::vector<int64_t> shape;
  std::vector<ByteRange> ranges;

  size_t TotalBytes() const;
};

// True for the dtypes numpy shares with TensorFlow (and string): the ones whose
// elements are plain bytes. Resources, variants, quantised and sub-byte types
// are not.
bool IsSupported(TF_DataType dtype);

// "float32", "string", ...; "dtype 20" for those IsSupported() refuses.
std::string DataTypeName(TF_DataType dtype);

// Strings in one piece of memory, as tensors/strings.ts describes it: doubles
// that say how many there are and where each ends, then the bytes of all.
// Throws INVALID_ARGUMENT naming `name` unless they are so.
std::vector<ByteRange> UnpackStrings(const ByteRange& packed,
                                     const std::string& name);

// The strings of a TF_STRING tensor likewise, as a TF_UINT8 tensor. Throws
// RESOURCE_EXHAUSTED if there is no memory.
Tensor PackStrings(const Tensor& strings);

// Throws INVALID_ARGUMENT naming `name` unless `source` can become a tensor:
// supported dtype, at most 254 dimensions, none negative, a size that does not
// overflow, and exactly as many bytes (strings: elements) as the shape needs.
// CopyIn() relies on it: TensorFlow aborts the process on such shapes.
void CheckSource(const TensorSource& source, const std::string& name);

// Copies a checked source, once, into memory TensorFlow accepts as it is. Any
// nonzero bool byte becomes 1: kernels count on 0 and 1. Throws
// RESOURCE_EXHAUSTED if there is no memory.
Tensor CopyIn(const TensorSource& source);

// `output` if nothing else refers to its memory, else a copy of it. A fetched
// tensor may share its memory with a variable, a constant, a feed or another
// fetch, and must not be handed to anyone who could write to it. Not for
// strings, not for empty tensors. Throws RESOURCE_EXHAUSTED.
Tensor Unshared(Tensor output);

// The dimensions of `tensor`.
std::vector<int64_t> ShapeOf(const Tensor& tensor);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_TENSOR_BYTES_H_
