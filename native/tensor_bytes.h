// Turns bytes into tensors, and tensors into memory that may be given away.
// 
// This part knows no JavaScript: the memory of Uint8Arrays arrives here as
// ByteRanges. Any thread may use it.

#ifndef TFJS_SERVING_NATIVE_TENSOR_BYTES_H_
#define TFJS_SERVING_NATIVE_TENSOR_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor.h"
#include "tensorflow/c/tf_datatype.h"

namespace tfjs_serving {

// Borrowed memory. The owner says how long it lives.
struct ByteRange {
  const uint8_t* data;
  size_t size;
};

// A tensor that is still bytes somewhere else.
// 
// For a fixed-width dtype, the ranges in order are the elements, row-major,
// little-endian, at any alignment. For TF_STRING, each range is one element.
struct TensorSource {
  TF_DataType dtype;
  std::vector<int64_t> shape;
  std::vector<ByteRange> ranges;

  size_t TotalBytes() const;
};

// True for the dtypes that numpy and TensorFlow share, and for string: their
// elements are plain bytes. Resources, variants, quantised and sub-byte types
// are not.
bool IsSupported(TF_DataType dtype);

// Returns "float32", "string", ...; "dtype 20" for a dtype that IsSupported()
// refuses.
std::string DataTypeName(TF_DataType dtype);

// Reads strings in one piece of memory, in the form that tensors/strings.ts
// describes: doubles that say how many there are and where each ends, then the
// bytes of all. Throws INVALID_ARGUMENT naming `name` if the form is wrong.
std::vector<ByteRange> UnpackStrings(const ByteRange& packed,
                                     const std::string& name);

// Puts the strings of a TF_STRING tensor into that form, as a TF_UINT8 tensor.
// Throws RESOURCE_EXHAUSTED if there is no memory.
Tensor PackStrings(const Tensor& strings);

// Throws INVALID_ARGUMENT naming `name` unless `source` can become a tensor: a
// supported dtype, at most 254 dimensions, none negative, a size that does not
// overflow, and exactly as many bytes (for strings: elements) as the shape
// needs. CopyIn() relies on it, since TensorFlow aborts the process on such
// shapes.
void CheckSource(const TensorSource& source, const std::string& name);

// Copies a checked source, once, into memory that TensorFlow accepts as it is.
// Any nonzero bool byte becomes 1, because kernels expect 0 and 1. Throws
// RESOURCE_EXHAUSTED if there is no memory.
Tensor CopyIn(const TensorSource& source);

// Returns `output` if nothing else refers to its memory, else a copy. A fetched
// tensor may share its memory with a variable, a constant, a feed or another
// fetch. It must not be given to anyone who could write to it. Not for strings,
// and not for empty tensors. Throws RESOURCE_EXHAUSTED.
Tensor Unshared(Tensor output);

// The dimensions of `tensor`.
std::vector<int64_t> ShapeOf(const Tensor& tensor);

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_TENSOR_BYTES_H_
