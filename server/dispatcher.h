// Hands work from the engine thread to a thread of the server's own.
//
//   class Call : public DispatchItem { void Dispatch() override { ... } };
//   dispatcher.Schedule(call);   // any thread; a lock and at most one wake-up, no allocation
//
// The ready list is intrusive: an item stands in it at most once however often it is scheduled, so
// the list is never longer than there are live items and scheduling cannot fail. An item scheduled
// while it is being dispatched is dispatched again. Dispatch calls are never concurrent.
#ifndef MEMORY3_SERVER_DISPATCHER_H_
#define MEMORY3_SERVER_DISPATCHER_H_

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "engine/base/mutex.h"

namespace memory3 {

class Dispatcher;

class DispatchItem {
 public:
  virtual ~DispatchItem() = default;

  // On the dispatcher's thread; must not block.
  virtual void Dispatch() = 0;

 private:
  friend class Dispatcher;
  // Owned by the dispatcher's lock. While an item is in the list, it keeps itself alive.
  std::shared_ptr<DispatchItem> queued_self_;
  DispatchItem* next_ = nullptr;
};

class Dispatcher {
 public:
  Dispatcher();
  // Dispatches what is scheduled, then joins the thread.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void Schedule(std::shared_ptr<DispatchItem> item);

 private:
  void Loop();

  Mutex mutex_;
  CondVar ready_;
  DispatchItem* head_ ABSL_GUARDED_BY(mutex_) = nullptr;
  DispatchItem* tail_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_DISPATCHER_H_
