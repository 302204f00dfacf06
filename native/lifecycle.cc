#include "lifecycle.h"

#include <optional>
#include <utility>

#include "loader.h"
#include "threads.h"

namespace tfjs_serving {

namespace {

class Load : public Completion {
 public:
  using Completion::Completion;

  void Perform(const std::string& directory,
               const std::vector<std::string>& tags,
               const std::string& config) noexcept {
    const Counted in_flight(GlobalCounters().loads_in_flight);
    try {
      reference_ = SessionReference::Add(LoadSession(directory, tags, config));
    } catch (...) {
      failure_ = CurrentError();
    }
  }

  void Deliver(Environment& environment) override {
    if (failure_) {
      environment.Reject(request(), *failure_);
      return;
    }
    const auto handle = static_cast<double>(reference_.handle());
    environment.Hold(std::move(reference_));
    environment.Resolve(request(),
                        Napi::Number::New(environment.napi(), handle));
  }

 private:
  SessionReference reference_;
  std::optional<StatusError> failure_;
};

class Release : public Completion {
 public:
  using Completion::Completion;

  void Deliver(Environment& environment) override {
    environment.Resolve(request(), environment.napi().Undefined());
  }
};

}  // namespace

void StartLoad(Environment& environment, RequestId request,
               std::string directory, std::vector<std::string> tags,
               std::string config) {
  StartThread([environment = environment.shared_from_this(), request,
               directory = std::move(directory), tags = std::move(tags),
               config = std::move(config)] {
    auto load = std::make_unique<Load>(request);
    load->Perform(directory, tags, config);
    environment->Post(std::move(load));
  });
}

void StartRelease(Environment& environment, RequestId request,
                  SessionReference reference) {
  reference.GiveBack([environment = environment.shared_from_this(), request] {
    environment->Post(std::make_unique<Release>(request));
  });
}

}  // namespace tfjs_serving
