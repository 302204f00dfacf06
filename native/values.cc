#include "values.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "tensorflow/c/tf_tstring.h"

namespace tfjs_serving {

namespace {

[[noreturn]] void Expected(Napi::Env env, const std::string& name,
                           const char* what) {
  throw Napi::TypeError::New(env, name + ": expected " + what);
}

std::string Indexed(const std::string& name, uint32_t index) {
  return name + "[" + std::to_string(index) + "]";
}

Napi::Array ReadArray(Napi::Value value, const std::string& name) {
  if (!value.IsArray()) Expected(value.Env(), name, "an array");
  return value.As<Napi::Array>();
}

ByteRange RangeOf(Napi::Value value, const std::string& name) {
  napi_typedarray_type type = napi_int8_array;
  size_t size = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(
      value.Env(), value, &type, &size, &data, nullptr, nullptr);
  if (status != napi_ok || type != napi_uint8_array) {
    Expected(value.Env(), name, "a Uint8Array");
  }
  return ByteRange{static_cast<const uint8_t*>(data), size};
}

// CheckSource() decides whether a tensor of this dtype can be fed.
TF_DataType ReadDataType(Napi::Value value, const std::string& name) {
  constexpr int64_t kEnumRange = 63;
  const int64_t number = ReadInteger(value, name);
  if (number > kEnumRange) {
    Expected(value.Env(), name, "the number of a tensorflow.DataType");
  }
  return static_cast<TF_DataType>(number);
}

Napi::Value CopiedValue(Napi::Env env, const void* data, size_t size) {
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, size);
  if (size > 0) std::memcpy(buffer.Data(), data, size);
  return BytesValue(env, buffer, 0, size);
}

}  // namespace

std::string ReadString(Napi::Value value, const std::string& name) {
  if (!value.IsString()) Expected(value.Env(), name, "a string");
  std::string text = value.As<Napi::String>();
  if (text.find('\0') != std::string::npos) {
    Expected(value.Env(), name, "a string without NUL");
  }
  return text;
}

std::vector<std::string> ReadStrings(Napi::Value value,
                                     const std::string& name) {
  const Napi::Array array = ReadArray(value, name);
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    strings.push_back(ReadString(array.Get(i), Indexed(name, i)));
  }
  return strings;
}

int64_t ReadInteger(Napi::Value value, const std::string& name) {
  constexpr double kMaxSafe = 9007199254740991.0;
  const double number =
      value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1.0;
  // Written so that NaN is refused.
  if (!(number >= 0 && number <= kMaxSafe) || std::floor(number) != number) {
    Expected(value.Env(), name, "a non-negative integer");
  }
  return static_cast<int64_t>(number);
}

std::string ReadBytes(Napi::Value value, const std::string& name) {
  const ByteRange range = RangeOf(value, name);
  return std::string(reinterpret_cast<const char*>(range.data), range.size);
}

Feeds ReadFeeds(Napi::Value value) {
  const Napi::Array array = ReadArray(value, "feeds");
  Feeds feeds;
  feeds.sources.resize(array.Length());
  // Where the buffers of each source end in feeds.buffers.
  std::vector<size_t> ends;
  // Whether a source is strings in one piece.
  std::vector<bool> is_packed(array.Length());
  // There are two passes, because reading an element may run JavaScript. That
  // could detach a buffer whose address was already taken.
  for (uint32_t i = 0; i < feeds.sources.size(); ++i) {
    const std::string name = Indexed("feeds", i);
    const Napi::Array feed = ReadArray(array.Get(i), name);
    TensorSource& source = feeds.sources[i];
    source.dtype = ReadDataType(feed.Get(0U), name + ".dtype");
    const Napi::Array shape = ReadArray(feed.Get(1U), name + ".shape");
    for (uint32_t j = 0; j < shape.Length(); ++j) {
      source.shape.push_back(ReadInteger(shape.Get(j), name + ".shape"));
    }
    const Napi::Value data = feed.Get(2U);
    if (data.IsArray()) {
      const Napi::Array parts = data.As<Napi::Array>();
      for (uint32_t j = 0; j < parts.Length(); ++j) {
        feeds.buffers.push_back(parts.Get(j));
      }
    } else {
      is_packed[i] = source.dtype == TF_STRING;
      feeds.buffers.push_back(data);
    }
    ends.push_back(feeds.buffers.size());
  }
  size_t next = 0;
  for (uint32_t i = 0; i < feeds.sources.size(); ++i) {
    const std::string name = Indexed("feeds", i) + ".data";
    for (; next < ends[i]; ++next) {
      feeds.sources[i].ranges.push_back(RangeOf(feeds.buffers[next], name));
    }
    if (is_packed[i]) {
      std::vector<ByteRange>& ranges = feeds.sources[i].ranges;
      ranges = UnpackStrings(ranges.front(), Indexed("feeds", i));
    }
  }
  return feeds;
}

Napi::Value ShapeValue(Napi::Env env, const std::vector<int64_t>& shape) {
  const Napi::Array array = Napi::Array::New(env, shape.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    array.Set(static_cast<uint32_t>(i), static_cast<double>(shape[i]));
  }
  return array;
}

Napi::Value BytesValue(Napi::Env env, Napi::Value buffer, size_t offset,
                       size_t size) {
  return Napi::Uint8Array::New(env, size, buffer.As<Napi::ArrayBuffer>(),
                               offset, napi_uint8_array);
}

Napi::Value CopiedValue(Napi::Env env, const Tensor& tensor) {
  return CopiedValue(env, tensor.data(), tensor.byte_size());
}

Napi::Value CopiedValue(Napi::Env env, const Buffer& buffer) {
  return CopiedValue(env, buffer->data, buffer->length);
}

Napi::Value StringsValue(Napi::Env env, const Tensor& tensor) {
  const auto* const strings = static_cast<const TF_TString*>(tensor.data());
  const auto count = static_cast<size_t>(TF_TensorElementCount(tensor.get()));
  size_t total = 0;
  for (size_t i = 0; i < count; ++i) total += TF_StringGetSize(&strings[i]);
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, total);
  const Napi::Array array = Napi::Array::New(env, count);
  size_t offset = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t size = TF_StringGetSize(&strings[i]);
    if (size > 0) {
      std::memcpy(static_cast<char*>(buffer.Data()) + offset,
                  TF_StringGetDataPointer(&strings[i]), size);
    }
    array.Set(static_cast<uint32_t>(i), BytesValue(env, buffer, offset, size));
    offset += size;
  }
  return array;
}

}  // namespace tfjs_serving
