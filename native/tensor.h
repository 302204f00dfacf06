// Tensor owns one TF_Tensor, which is counted meanwhile.

#ifndef TFJS_SERVING_NATIVE_TENSOR_H_
#define TFJS_SERVING_NATIVE_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "counters.h"
#include "tensorflow/c/tf_tensor.h"

namespace tfjs_serving {

// Movable, not copyable; it may be empty. Any thread may use the TF_Tensor, but
// only one at a time.
class Tensor {
 public:
  Tensor() = default;

  // Takes ownership. `outside_bytes` is memory of the tensor that
  // TF_TensorByteSize does not see: the content of strings.
  explicit Tensor(TF_Tensor* tensor, size_t outside_bytes = 0)
      : tensor_(tensor) {
    if (tensor_ == nullptr) return;
    counted_bytes_ =
        static_cast<int64_t>(TF_TensorByteSize(tensor_) + outside_bytes);
    ++GlobalCounters().tensors;
    GlobalCounters().tensor_bytes += counted_bytes_;
  }

  Tensor(Tensor&& other) noexcept { swap(other); }
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor(std::move(other)).swap(*this);
    return *this;
  }
  ~Tensor() {
    if (TF_Tensor* const tensor = Release()) TF_DeleteTensor(tensor);
  }

  bool empty() const { return tensor_ == nullptr; }
  TF_Tensor* get() const { return tensor_; }
  TF_DataType dtype() const { return TF_TensorType(tensor_); }
  size_t byte_size() const { return TF_TensorByteSize(tensor_); }
  void* data() const { return TF_TensorData(tensor_); }

  // Leaves this object empty. The caller owns the result.
  TF_Tensor* Release() {
    if (tensor_ == nullptr) return nullptr;
    --GlobalCounters().tensors;
    GlobalCounters().tensor_bytes -= counted_bytes_;
    counted_bytes_ = 0;
    return std::exchange(tensor_, nullptr);
  }

 private:
  void swap(Tensor& other) noexcept {
    std::swap(tensor_, other.tensor_);
    std::swap(counted_bytes_, other.counted_bytes_);
  }

  TF_Tensor* tensor_ = nullptr;
  int64_t counted_bytes_ = 0;
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_TENSOR_H_
