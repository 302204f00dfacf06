// How failures travel through the native part.
// 
// TensorFlow reports through TF_Status, and our own code throws StatusError. A
// StatusError is also a plain value: a run that failed on a pool thread carries
// one back to its Node thread. There it becomes a JavaScript Error whose `code`
// is CodeName().

#ifndef TFJS_SERVING_NATIVE_STATUS_H_
#define TFJS_SERVING_NATIVE_STATUS_H_

#include <memory>
#include <stdexcept>
#include <string>

#include "tensorflow/c/tf_status.h"

namespace tfjs_serving {

// TensorFlow's name of a code: "INVALID_ARGUMENT", "NOT_FOUND", ... A code that
// this build of TensorFlow does not name is "UNKNOWN".
const char* CodeName(TF_Code code);

class StatusError : public std::runtime_error {
 public:
  StatusError(TF_Code code, const std::string& message)
      : std::runtime_error(message), code_(code) {}

  TF_Code code() const { return code_; }

 private:
  TF_Code code_;
};

// Returns the exception that is being handled, as a StatusError. Call it only
// inside a catch block. It is for the top of a thread, where nothing may be
// thrown further.
StatusError CurrentError();

// Owns a TF_Status, which is OK at first. One Status serves one call of
// TensorFlow.
class Status {
 public:
  Status() : status_(TF_NewStatus()) {}

  TF_Status* get() const { return status_.get(); }
  bool ok() const { return TF_GetCode(get()) == TF_OK; }
  StatusError error() const {
    return StatusError(TF_GetCode(get()), TF_Message(get()));
  }

  // Throws error() unless ok().
  void Check() const {
    if (!ok()) throw error();
  }

 private:
  struct Deleter {
    void operator()(TF_Status* status) const { TF_DeleteStatus(status); }
  };
  std::unique_ptr<TF_Status, Deleter> status_;
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_STATUS_H_
