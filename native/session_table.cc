#include "session_table.h"

#include <atomic>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "free_memory.h"
#include "threads.h"

namespace tfjs_serving {

namespace {

struct Entry {
  std::shared_ptr<Session> session;
  int references;
};

struct Table {
  std::mutex mutex;
  std::unordered_map<SessionHandle, Entry> entries;  // guarded by mutex
  SessionHandle next_handle = 1;                     // guarded by mutex
};

// Never destroyed, because it is used while the process exits.
Table& Sessions() {
  static Table& table = *new Table;
  return table;
}

void CloseSession(Session& session) {
  static std::atomic<int> closing{0};
  ++closing;
  session.Close();
  // Otherwise the memory that a model freed would stay with this process and
  // grow with every reload. It is returned once for all sessions that close
  // together, because every thread that wants memory waits meanwhile, also the
  // event loop.
  if (--closing > 0) return;
  GiveBackMemory();
}

}  // namespace

SessionReference SessionReference::Add(std::unique_ptr<Session> session) {
  Table& table = Sessions();
  std::shared_ptr<Session> shared = std::move(session);
  const std::lock_guard<std::mutex> lock(table.mutex);
  const SessionHandle handle = table.next_handle++;
  table.entries.emplace(handle, Entry{shared, 1});
  return SessionReference(handle, std::move(shared));
}

SessionReference SessionReference::Retain(SessionHandle handle) {
  Table& table = Sessions();
  const std::lock_guard<std::mutex> lock(table.mutex);
  const auto found = table.entries.find(handle);
  if (found == table.entries.end()) {
    throw StatusError(TF_NOT_FOUND,
                      "no session has the handle " + std::to_string(handle));
  }
  ++found->second.references;
  return SessionReference(handle, found->second.session);
}

SessionReference::SessionReference(SessionHandle handle,
                                   std::shared_ptr<Session> session)
    : handle_(handle), session_(std::move(session)) {}

SessionReference::SessionReference(SessionReference&& other) noexcept
    : handle_(std::exchange(other.handle_, 0)),
      session_(std::move(other.session_)) {}

SessionReference& SessionReference::operator=(
    SessionReference&& other) noexcept {
  if (this != &other) {
    GiveBack(nullptr);
    handle_ = std::exchange(other.handle_, 0);
    session_ = std::move(other.session_);
  }
  return *this;
}

void SessionReference::GiveBack(std::function<void()> done) noexcept {
  const std::shared_ptr<Session> session = std::move(session_);
  session_ = nullptr;
  if (session == nullptr) return;
  bool last = false;
  {
    Table& table = Sessions();
    const std::lock_guard<std::mutex> lock(table.mutex);
    const auto found = table.entries.find(std::exchange(handle_, 0));
    last = --found->second.references == 0;
    if (last) table.entries.erase(found);
  }
  if (!last) {
    if (done) done();
    return;
  }
  const auto close = [session, done] {
    {
      const Counted closing(GlobalCounters().closes_in_flight);
      CloseSession(*session);
    }
    if (done) done();
  };
  try {
    StartThread(close);
  } catch (const std::exception&) {
    close();  // better a wait than a leak
  }
}

}  // namespace tfjs_serving
