// Run: one run of a session, from the Node thread that wants it to a thread of
// the pool and back.

#ifndef TFJS_SERVING_NATIVE_RUN_H_
#define TFJS_SERVING_NATIVE_RUN_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "buffer.h"
#include "environment.h"
#include "session.h"
#include "tensor.h"
#include "tensor_bytes.h"

namespace tfjs_serving {

// Feeds and fetches that were found in the graph once, for many runs.
// Immutable.
struct PreparedCall {
  std::shared_ptr<HeldSession> held;
  std::vector<std::string> feed_names;
  std::vector<TF_DataType> feed_dtypes;
  std::vector<TF_Output> feeds;
  std::vector<TF_Output> fetches;

  // Throws NOT_FOUND for a name that the graph lacks, UNIMPLEMENTED for a dtype
  // without plain bytes.
  static PreparedCall Find(std::shared_ptr<HeldSession> held,
                           std::vector<std::string> feed_names,
                           const std::vector<std::string>& fetch_names);
};

// An output of a run. Its values are a tensor of its dtype. Many or long
// strings are in the form that PackStrings() makes.
struct Fetched {
  TF_DataType dtype;
  std::vector<int64_t> shape;
  Tensor values;
};

class Run : public Completion {
 public:
  // Up to this many bytes are copied on the Node thread at once. That is
  // cheaper than keeping the buffers alive, or than packing strings. Copying
  // more would hold up the event loop.
  static constexpr size_t kCopyNowBytes = 64 << 10;

  // Outputs of at least this size are given to JavaScript as they are. Smaller
  // ones are copied, which is cheaper than an external buffer.
  static constexpr size_t kExposeBytes = 2 << 10;

  // Outputs with more strings are packed. The value equals the one in
  // tensors/strings.ts.
  static constexpr int64_t kFewStrings = 256;

  // Called on the Node thread. Checks `sources` against `call`, and copies them
  // if they are small. Otherwise their memory must not change until the request
  // is settled or the environment has ended. Throws INVALID_ARGUMENT for bad
  // sources, FAILED_PRECONDITION if the session is closing.
  Run(Environment& environment, RequestId request,
      std::shared_ptr<const PreparedCall> call,
      std::vector<TensorSource> sources, std::string options);

  // Asks for the serialized tensorflow.RunMetadata of the run. It is called
  // before the run. The metadata is thrown away if it has more than
  // `max_bytes`.
  void KeepMetadata(size_t max_bytes) { max_metadata_bytes_ = max_bytes; }

  const Environment& environment() const { return *environment_; }

  // True if the sources have not been copied yet.
  bool needs_sources() const { return !sources_.empty(); }

  // Runs on a pool thread, and posts the run to its environment.
  static void Execute(std::unique_ptr<Run> run) noexcept;

  // Runs on the Node thread, and blocks it until the end. Throws what the run
  // fails with.
  Napi::Value ExecuteHere(Environment& environment);

  // Resolves with the result, or rejects.
  void Deliver(Environment& environment) override;

 private:
  using Clock = std::chrono::steady_clock;

  bool CopySources();
  void RunSession();

  // Runs and keeps the result. Returns false if the thread that wanted it has
  // ended.
  bool Attempt() noexcept;

  // Makes the RunResult that engines/tensorflow/native.ts describes, or the
  // TracedResult if the metadata was asked for.
  Napi::Value Result(Environment& environment);

  const std::shared_ptr<Environment> environment_;
  const std::shared_ptr<const PreparedCall> call_;
  const std::string options_;
  RunPermit permit_;
  std::vector<TensorSource> sources_;  // until copied
  std::vector<Tensor> feeds_;
  std::vector<Fetched> outputs_;
  std::optional<size_t> max_metadata_bytes_;  // empty: nobody wants it
  Buffer metadata_;
  std::optional<StatusError> failure_;
  const Clock::time_point queued_ = Clock::now();
  Clock::time_point started_;
  Clock::time_point ended_;
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_RUN_H_
