// Session: one loaded SavedModel, which any number of threads may run at once.
// 
// LoadSession() makes it. Threads run it between BeginRun() and EndRun().
// Close() lets the last run end, frees the memory and refuses further runs. The
// destructor closes it if nobody has.

#ifndef TFJS_SERVING_NATIVE_SESSION_H_
#define TFJS_SERVING_NATIVE_SESSION_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "buffer.h"
#include "status.h"
#include "tensor.h"
#include "tensorflow/c/c_api.h"

namespace tfjs_serving {

class Session {
 public:
  // Takes ownership of both, which belong together.
  Session(TF_Graph* graph, TF_Session* session);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Finds "name:index", or "name" for index 0. Throws NOT_FOUND if the graph
  // has no such tensor. The result is valid until Close().
  TF_Output FindTensor(const std::string& name) const;

  // Returns true if the session stays open until EndRun(), false if it is
  // closing.
  bool BeginRun();
  void EndRun();

  // Runs once on the calling thread, between BeginRun() and EndRun(). `options`
  // is a serialized tensorflow.RunOptions; empty means the defaults.
  // `metadata`, unless null, becomes the serialized tensorflow.RunMetadata.
  // Throws what TensorFlow reports.
  std::vector<Tensor> Run(const std::vector<TF_Output>& feeds,
                          const std::vector<Tensor>& values,
                          const std::vector<TF_Output>& fetches,
                          const std::string& options, Buffer* metadata);

  // Waits for the runs under way, then frees the graph and the weights. It may
  // take as long as the longest run. Calling it twice is safe.
  void Close();

  // Makes the runs under way in every session end early with CANCELLED, and
  // later ones fail. It is for the end of the process.
  static void CancelAll();

 private:
  TF_Graph* const graph_;
  TF_Session* const session_;

  std::mutex mutex_;
  std::condition_variable idle_;
  int runs_ = 0;          // guarded by mutex_
  bool closing_ = false;  // guarded by mutex_
};

// The right to run a session, as long as this object lives.
class RunPermit {
 public:
  // Throws FAILED_PRECONDITION if the session is closing.
  explicit RunPermit(std::shared_ptr<Session> session);
  ~RunPermit() { Return(); }
  RunPermit(const RunPermit&) = delete;
  RunPermit& operator=(const RunPermit&) = delete;

  Session& session() const { return *session_; }

  // Ends the permit early. Do not use session() afterwards.
  void Return();

 private:
  std::shared_ptr<Session> session_;
};

}  // namespace tfjs_serving

#endif  // TFJS_SERVING_NATIVE_SESSION_H_
