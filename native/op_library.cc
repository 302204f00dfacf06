#include "op_library.h"

#include <mutex>
#include <unordered_set>

#include "buffer.h"
#include "status.h"
#include "tensorflow/c/c_api.h"

namespace tfjs_serving {

namespace {

struct Libraries {
  std::mutex mutex;
  // Guarded by mutex.
  std::unordered_set<std::string> digests;
};

// Never destroyed, because the libraries stay as long as the process.
Libraries& TheLibraries() {
  static Libraries& libraries = *new Libraries;
  return libraries;
}

}  // namespace

bool LoadOpLibrary(const std::string& path, const std::string& digest) {
  Libraries& libraries = TheLibraries();
  const std::lock_guard<std::mutex> lock(libraries.mutex);
  if (libraries.digests.count(digest) > 0) return false;
  const Status status;
  TF_Library* const library = TF_LoadLibrary(path.c_str(), status.get());
  status.Check();
  // This frees only the handle. The library stays in memory.
  TF_DeleteLibraryHandle(library);
  libraries.digests.insert(digest);
  return true;
}

std::string OperationList() {
  const Buffer list(TF_GetAllOpList());
  return std::string(static_cast<const char*>(list->data), list->length);
}

}  // namespace tfjs_serving
