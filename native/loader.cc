#include "loader.h"

#include <algorithm>

#include "buffer.h"

namespace tfjs_serving {

namespace {

struct GraphDeleter {
  void operator()(TF_Graph* graph) const { TF_DeleteGraph(graph); }
};
using Graph = std::unique_ptr<TF_Graph, GraphDeleter>;

struct OptionsDeleter {
  void operator()(TF_SessionOptions* options) const {
    TF_DeleteSessionOptions(options);
  }
};
using SessionOptions = std::unique_ptr<TF_SessionOptions, OptionsDeleter>;

struct DeviceListDeleter {
  void operator()(TF_DeviceList* list) const { TF_DeleteDeviceList(list); }
};
using DeviceList = std::unique_ptr<TF_DeviceList, DeviceListDeleter>;

// tensorflow.RunOptions{inter_op_thread_pool: -1}: the calling thread does the
// work. If the threads that serve other sessions restored variables, every
// request would wait.
Buffer OnThisThread() {
  constexpr unsigned char kOptions[] = {0x18, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0x01};
  return Buffer(TF_NewBufferFromString(kOptions, sizeof(kOptions)));
}

SessionOptions OptionsFor(const std::string& config) {
  SessionOptions options(TF_NewSessionOptions());
  const Status status;
  TF_SetConfig(options.get(), config.data(), config.size(), status.get());
  status.Check();
  return options;
}

std::vector<Device> ListDevices(TF_Session* session) {
  const Status status;
  const DeviceList list(TF_SessionListDevices(session, status.get()));
  status.Check();
  std::vector<Device> devices;
  for (int i = 0; i < TF_DeviceListCount(list.get()); ++i) {
    const Status item_status;
    const char* const name = TF_DeviceListName(list.get(), i, item_status.get());
    item_status.Check();
    const char* const type = TF_DeviceListType(list.get(), i, item_status.get());
    item_status.Check();
    const int64_t memory_bytes =
        TF_DeviceListMemoryBytes(list.get(), i, item_status.get());
    item_status.Check();
    devices.push_back(Device{name, type, memory_bytes});
  }
  return devices;
}

}  // namespace

std::vector<Device> OpenDevices(const std::string& config) {
  const SessionOptions options = OptionsFor(config);
  const Graph graph(TF_NewGraph());
  const Status status;
  TF_Session* const session =
      TF_NewSession(graph.get(), options.get(), status.get());
  status.Check();
  const struct Closer {
    TF_Session* session;
    ~Closer() {
      TF_CloseSession(session, Status().get());
      TF_DeleteSession(session, Status().get());
    }
  } closer{session};
  return ListDevices(session);
}

std::unique_ptr<Session> LoadSession(const std::string& directory,
                                     const std::vector<std::string>& tags,
                                     const std::string& config) {
  const SessionOptions options = OptionsFor(config);
  std::vector<const char*> tag_pointers(tags.size());
  std::transform(tags.begin(), tags.end(), tag_pointers.begin(),
                 [](const std::string& tag) { return tag.c_str(); });
  Graph graph(TF_NewGraph());
  const Buffer run_options = OnThisThread();
  const Status load_status;
  TF_Session* const tf_session = TF_LoadSessionFromSavedModel(
      options.get(), run_options.get(), directory.c_str(),
      tag_pointers.data(), static_cast<int>(tag_pointers.size()), graph.get(),
      /*meta_graph_def=*/nullptr, load_status.get());
  load_status.Check();
  auto session = std::make_unique<Session>(graph.release(), tf_session);
  // The graph never grows again. Without this, every run takes the graph's lock
  // to check whether it has.
  const Status extend_status;
  TF_ExtendSession(tf_session, extend_status.get());
  extend_status.Check();
  return session;
}

}  // namespace tfjs_serving
