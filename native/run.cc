#include "run.h"

#include <algorithm>
#include <utility>

#include "tensorflow/c/tf_tstring.h"
#include "threads.h"
#include "values.h"

namespace tfjs_serving {

namespace {

// The dtype of a tensor of the graph. A reference variable has the dtype of its
// value.
TF_DataType DataTypeOf(TF_Output tensor) {
  constexpr int kReference = 100;
  const int dtype = static_cast<int>(TF_OperationOutputType(tensor));
  return static_cast<TF_DataType>(dtype > kReference ? dtype - kReference
                                                     : dtype);
}

TF_Output FindSupported(const Session& session, const std::string& name) {
  const TF_Output tensor = session.FindTensor(name);
  if (!IsSupported(DataTypeOf(tensor))) {
    throw StatusError(TF_UNIMPLEMENTED,
                      "tensor " + name + ": " +
                          DataTypeName(DataTypeOf(tensor)) +
                          " can be neither fed nor fetched");
  }
  return tensor;
}

// True for many or long strings. The Node thread would take longer to copy them
// than the run took.
bool ShouldPack(const Tensor& tensor) {
  if (tensor.dtype() != TF_STRING) return false;
  const int64_t count = TF_TensorElementCount(tensor.get());
  if (count > Run::kFewStrings) return true;
  const auto* const strings = static_cast<const TF_TString*>(tensor.data());
  size_t bytes = 0;
  for (int64_t i = 0; i < count; ++i) bytes += TF_StringGetSize(&strings[i]);
  return bytes > Run::kCopyNowBytes;
}

// Makes [dtype, shape, data], the Output that engines/tensorflow/native.ts
// describes.
Napi::Array OutputValue(Environment& environment, Fetched output) {
  const Napi::Env env = environment.napi();
  Tensor& values = output.values;
  const Napi::Array result = Napi::Array::New(env, 3);
  result.Set(0U, static_cast<double>(output.dtype));
  result.Set(1U, ShapeValue(env, output.shape));
  if (values.dtype() == TF_STRING) {
    result.Set(2U, StringsValue(env, values));
  } else if (values.byte_size() >= Run::kExposeBytes) {
    const size_t size = values.byte_size();
    const Napi::Value buffer = environment.Expose(std::move(values));
    result.Set(2U, BytesValue(env, buffer, 0, size));
  } else {
    result.Set(2U, CopiedValue(env, values));
  }
  return result;
}

double Micros(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

}  // namespace

PreparedCall PreparedCall::Find(std::shared_ptr<HeldSession> held,
                                std::vector<std::string> feed_names,
                                const std::vector<std::string>& fetch_names) {
  PreparedCall call;
  call.held = std::move(held);
  call.feed_names = std::move(feed_names);
  const Session& session = *call.held->session;
  for (const std::string& name : call.feed_names) {
    call.feeds.push_back(FindSupported(session, name));
    call.feed_dtypes.push_back(DataTypeOf(call.feeds.back()));
  }
  for (const std::string& name : fetch_names) {
    call.fetches.push_back(FindSupported(session, name));
  }
  return call;
}

Run::Run(Environment& environment, RequestId request,
         std::shared_ptr<const PreparedCall> call,
         std::vector<TensorSource> sources, std::string options)
    : Completion(request),
      environment_(environment.shared_from_this()),
      call_(std::move(call)),
      options_(std::move(options)),
      permit_(call_->held->session),
      sources_(std::move(sources)) {
  if (sources_.size() != call_->feeds.size()) {
    throw StatusError(TF_INVALID_ARGUMENT,
                      std::to_string(call_->feeds.size()) +
                          " feeds were prepared, but " +
                          std::to_string(sources_.size()) + " came");
  }
  size_t bytes = 0;
  size_t strings = 0;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const TensorSource& source = sources_[i];
    CheckSource(source, call_->feed_names[i]);
    if (source.dtype != call_->feed_dtypes[i]) {
      throw StatusError(TF_INVALID_ARGUMENT,
                        "input " + call_->feed_names[i] + ": expected " +
                            DataTypeName(call_->feed_dtypes[i]) + ", got " +
                            DataTypeName(source.dtype));
    }
    bytes += source.TotalBytes();
    if (source.dtype == TF_STRING) strings += source.ranges.size();
  }
  // Even an empty string takes up its place.
  if (bytes + strings * sizeof(TF_TString) <= kCopyNowBytes) CopySources();
}

bool Run::CopySources() {
  if (sources_.empty()) return true;
  if (!environment_->BeginRead()) return false;
  const struct Reading {
    Environment& environment;
    ~Reading() { environment.EndRead(); }
  } reading{*environment_};
  feeds_.reserve(sources_.size());
  for (const TensorSource& source : sources_) feeds_.push_back(CopyIn(source));
  sources_.clear();
  return true;
}

void Run::RunSession() {
  std::vector<Tensor> fetched = permit_.session().Run(
      call_->feeds, feeds_, call_->fetches, options_,
      max_metadata_bytes_ ? &metadata_ : nullptr);
  if (metadata_ && metadata_->length > *max_metadata_bytes_) metadata_.reset();
  // The feeds are dropped before the outputs are looked at. An output that is a
  // feed has then no other owner.
  feeds_.clear();
  for (Tensor& values : fetched) {
    Fetched output{values.dtype(), ShapeOf(values), std::move(values)};
    if (ShouldPack(output.values)) {
      output.values = PackStrings(output.values);
    } else if (output.dtype != TF_STRING &&
               output.values.byte_size() >= kExposeBytes) {
      output.values = Unshared(std::move(output.values));
    }
    outputs_.push_back(std::move(output));
  }
}

bool Run::Attempt() noexcept {
  const Counted in_flight(GlobalCounters().runs_in_flight);
  started_ = Clock::now();
  try {
    if (!CopySources()) return false;
    RunSession();
  } catch (...) {
    failure_ = CurrentError();
  }
  feeds_.clear();
  permit_.Return();
  ended_ = Clock::now();
  return true;
}

void Run::Execute(std::unique_ptr<Run> run) noexcept {
  if (!run->Attempt()) return;
  const std::shared_ptr<Environment> environment = run->environment_;
  environment->Post(std::move(run));
}

Napi::Value Run::ExecuteHere(Environment& environment) {
  {
    const ScopedFlushDenormals flush;
    Attempt();
  }
  if (failure_) throw StatusError(*failure_);
  return Result(environment);
}

void Run::Deliver(Environment& environment) {
  if (failure_) {
    environment.Reject(request(), *failure_);
  } else {
    environment.Resolve(request(), Result(environment));
  }
}

Napi::Value Run::Result(Environment& environment) {
  const Napi::Env env = environment.napi();
  // These are arrays, because setting a property by name takes three times as
  // long as setting an element.
  const Napi::Array outputs = Napi::Array::New(env, outputs_.size());
  for (size_t i = 0; i < outputs_.size(); ++i) {
    outputs.Set(static_cast<uint32_t>(i),
                OutputValue(environment, std::move(outputs_[i])));
  }
  const Napi::Array result = Napi::Array::New(env, 3);
  result.Set(0U, outputs);
  result.Set(1U, Micros(started_ - queued_));
  result.Set(2U, Micros(ended_ - started_));
  if (!max_metadata_bytes_) return result;
  const Napi::Array traced = Napi::Array::New(env, 2);
  traced.Set(0U, result);
  traced.Set(1U, metadata_ ? CopiedValue(env, metadata_) : env.Null());
  return traced;
}

}  // namespace tfjs_serving
