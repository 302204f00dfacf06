#include "tensor_bytes.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "status.h"
#include "tensorflow/c/tf_tstring.h"

namespace tfjs_serving {

namespace {

// TensorFlow's TensorShape::MaxDimensions().
constexpr size_t kMaxRank = 254;

struct DataTypeEntry {
  TF_DataType dtype;
  const char* name;
};

constexpr DataTypeEntry kSupported[] = {
    {TF_BOOL, "bool"},           {TF_UINT8, "uint8"},
    {TF_UINT16, "uint16"},       {TF_UINT32, "uint32"},
    {TF_UINT64, "uint64"},       {TF_INT8, "int8"},
    {TF_INT16, "int16"},         {TF_INT32, "int32"},
    {TF_INT64, "int64"},         {TF_HALF, "float16"},
    {TF_BFLOAT16, "bfloat16"},   {TF_FLOAT, "float32"},
    {TF_DOUBLE, "float64"},      {TF_COMPLEX64, "complex64"},
    {TF_COMPLEX128, "complex128"}, {TF_STRING, "string"},
};

const DataTypeEntry* Find(TF_DataType dtype) {
  const auto* const found =
      std::find_if(std::begin(kSupported), std::end(kSupported),
                   [&](const DataTypeEntry& e) { return e.dtype == dtype; });
  return found == std::end(kSupported) ? nullptr : found;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

size_t ElementCount(const std::vector<int64_t>& shape) {
  size_t count = 1;
  for (const int64_t dim : shape) count *= static_cast<size_t>(dim);
  return count;
}

Tensor Allocate(TF_DataType dtype, const std::vector<int64_t>& shape,
                size_t bytes) {
  Tensor tensor(TF_AllocateTensor(dtype, shape.data(),
                                  static_cast<int>(shape.size()), bytes));
  if (tensor.empty() || (bytes > 0 && tensor.data() == nullptr)) {
    throw StatusError(TF_RESOURCE_EXHAUSTED,
                      "no memory for a tensor of " + std::to_string(bytes) +
                          " bytes");
  }
  return tensor;
}

std::align_val_t StringAlignment() {
  return std::align_val_t{TF_TensorDefaultAlignment()};
}

// A deallocator of our own, because that of TF_AllocateTensor frees the array
// but leaks the memory that its strings own. TensorFlow calls it when the last
// user is gone. That may be a variable long after the run.
void DeleteStrings(void* data, size_t bytes, void*) {
  auto* const strings = static_cast<TF_TString*>(data);
  const size_t count = bytes / sizeof(TF_TString);
  for (size_t i = 0; i < count; ++i) TF_StringDealloc(&strings[i]);
  ::operator delete(data, StringAlignment());
}

Tensor CopyStrings(const TensorSource& source) {
  const size_t bytes = source.ranges.size() * sizeof(TF_TString);
  auto* const strings = static_cast<TF_TString*>(
      ::operator new(std::max<size_t>(bytes, 1), StringAlignment()));
  size_t content_bytes = 0;
  for (size_t i = 0; i < source.ranges.size(); ++i) {
    const ByteRange& element = source.ranges[i];
    TF_StringInit(&strings[i]);
    TF_StringCopy(&strings[i], reinterpret_cast<const char*>(element.data),
                  element.size);
    content_bytes += element.size;
  }
  Tensor tensor(TF_NewTensor(TF_STRING, source.shape.data(),
                             static_cast<int>(source.shape.size()), strings,
                             bytes, DeleteStrings, nullptr),
                content_bytes);
  // If TF_NewTensor refused, it has called the deallocator itself.
  if (tensor.empty()) {
    throw StatusError(TF_INTERNAL, "TensorFlow refused a string tensor");
  }
  return tensor;
}

}  // namespace

size_t TensorSource::TotalBytes() const {
  size_t total = 0;
  for (const ByteRange& range : ranges) total += range.size;
  return total;
}

bool IsSupported(TF_DataType dtype) { return Find(dtype) != nullptr; }

std::string DataTypeName(TF_DataType dtype) {
  const DataTypeEntry* const entry = Find(dtype);
  return entry != nullptr ? entry->name
                          : "dtype " + std::to_string(static_cast<int>(dtype));
}

void CheckSource(const TensorSource& source, const std::string& name) {
  const auto refuse = [&](const std::string& what) {
    throw StatusError(TF_INVALID_ARGUMENT, "input " + name + ": " + what);
  };
  if (!IsSupported(source.dtype)) {
    refuse(DataTypeName(source.dtype) + " cannot be fed");
  }
  if (source.shape.size() > kMaxRank) {
    refuse("rank " + std::to_string(source.shape.size()) +
           " is more than TensorFlow's " + std::to_string(kMaxRank));
  }
  const bool is_string = source.dtype == TF_STRING;
  const size_t element_bytes =
      is_string ? sizeof(TF_TString) : TF_DataTypeSize(source.dtype);
  // The bound holds without the zeros too: TensorFlow multiplies the dimensions
  // in order, and aborts if a product before the zero overflows.
  constexpr auto kMaxBytes =
      static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  uint64_t room = kMaxBytes / element_bytes;
  for (const int64_t dim : source.shape) {
    if (dim < 0) refuse("negative dimension in " + ShapeText(source.shape));
    if (dim > 0) room /= static_cast<uint64_t>(dim);
    if (room == 0) refuse("shape " + ShapeText(source.shape) + " is too large");
  }
  const size_t elements = ElementCount(source.shape);
  if (is_string) {
    if (source.ranges.size() != elements) {
      refuse("shape " + ShapeText(source.shape) + " has " +
             std::to_string(elements) + " elements, but " +
             std::to_string(source.ranges.size()) + " strings came");
    }
  } else if (source.TotalBytes() != elements * element_bytes) {
    refuse(DataTypeName(source.dtype) + " " + ShapeText(source.shape) +
           " takes " + std::to_string(elements * element_bytes) +
           " bytes, but " + std::to_string(source.TotalBytes()) + " came");
  }
}

Tensor CopyIn(const TensorSource& source) {
  if (source.dtype == TF_STRING) return CopyStrings(source);
  Tensor tensor = Allocate(source.dtype, source.shape, source.TotalBytes());
  auto* to = static_cast<uint8_t*>(tensor.data());
  for (const ByteRange& range : source.ranges) {
    if (range.size == 0) continue;
    if (source.dtype == TF_BOOL) {
      std::transform(range.data, range.data + range.size, to,
                     [](uint8_t byte) -> uint8_t { return byte != 0; });
    } else {
      std::memcpy(to, range.data, range.size);
    }
    to += range.size;
  }
  return tensor;
}

std::vector<ByteRange> UnpackStrings(const ByteRange& packed,
                                     const std::string& name) {
  const auto read = [&](size_t index) {
    double number = 0;
    std::memcpy(&number, packed.data + index * sizeof(double), sizeof(double));
    return number;
  };
  const auto check = [&](bool is_right) {
    if (is_right) return;
    throw StatusError(TF_INVALID_ARGUMENT,
                      "input " + name + ": its strings are not packed rightly");
  };
  check(packed.size >= sizeof(double));
  const size_t room = packed.size / sizeof(double) - 1;
  const double count = read(0);
  // Written so that NaN is refused.
  check(count >= 0 && count <= static_cast<double>(room));
  std::vector<ByteRange> strings(static_cast<size_t>(count));
  const size_t head = (strings.size() + 1) * sizeof(double);
  const size_t bytes = packed.size - head;
  size_t start = 0;
  for (size_t i = 0; i < strings.size(); ++i) {
    const double number = read(i + 1);
    check(number >= static_cast<double>(start) &&
          number <= static_cast<double>(bytes));
    const auto end = static_cast<size_t>(number);
    strings[i] = ByteRange{packed.data + head + start, end - start};
    start = end;
  }
  return strings;
}

Tensor PackStrings(const Tensor& strings) {
  const auto* const elements = static_cast<const TF_TString*>(strings.data());
  const auto count =
      static_cast<size_t>(TF_TensorElementCount(strings.get()));
  const size_t head = (count + 1) * sizeof(double);
  size_t size = head;
  for (size_t i = 0; i < count; ++i) size += TF_StringGetSize(&elements[i]);
  Tensor packed =
      Allocate(TF_UINT8, {static_cast<int64_t>(size)}, size);
  auto* const numbers = static_cast<double*>(packed.data());
  auto* const bytes = static_cast<char*>(packed.data()) + head;
  numbers[0] = static_cast<double>(count);
  size_t end = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t length = TF_StringGetSize(&elements[i]);
    if (length > 0) {
      std::memcpy(bytes + end, TF_StringGetDataPointer(&elements[i]), length);
    }
    end += length;
    numbers[i + 1] = static_cast<double>(end);
  }
  return packed;
}

Tensor Unshared(Tensor output) {
  if (TF_Tensor* const moved = TF_TensorMaybeMove(output.get())) {
    // The old handle is gone, or is the new one.
    static_cast<void>(output.Release());
    return Tensor(moved);
  }
  Tensor copy = Allocate(output.dtype(), ShapeOf(output), output.byte_size());
  std::memcpy(copy.data(), output.data(), output.byte_size());
  return copy;
}

std::vector<int64_t> ShapeOf(const Tensor& tensor) {
  std::vector<int64_t> shape(
      static_cast<size_t>(TF_NumDims(tensor.get())));
  for (size_t i = 0; i < shape.size(); ++i) {
    shape[i] = TF_Dim(tensor.get(), static_cast<int>(i));
  }
  return shape;
}

}  // namespace tfjs_serving
