// A first-in first-out queue with a limit: many threads push, one pops, and no one ever waits.
//
//   BoundedQueue<Request> queue(kMaxQueuedRequests);
//   if (!queue.TryPush(std::move(request))) return Overloaded();
//   queue.PopAll(&requests);
//
// The lock inside is held for a move at most. Room for every item is allocated at construction.
#ifndef MEMORY3_ENGINE_BASE_BOUNDED_QUEUE_H_
#define MEMORY3_ENGINE_BASE_BOUNDED_QUEUE_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "engine/base/mutex.h"

namespace memory3 {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t limit) : limit_(limit) {
    MutexLock lock(mutex_);
    items_.reserve(limit);
  }

  size_t limit() const { return limit_; }

  // False when the queue is full; `item` is then untouched.
  [[nodiscard]] bool TryPush(T&& item) {
    MutexLock lock(mutex_);
    if (items_.size() >= limit_) return false;
    items_.push_back(std::move(item));
    return true;
  }

  // Appends everything that is queued to *items, oldest first. Moves one by one, so that both sides
  // keep their memory.
  void PopAll(std::vector<T>* items) {
    MutexLock lock(mutex_);
    for (T& item : items_) items->push_back(std::move(item));
    items_.clear();
  }

 private:
  const size_t limit_;
  Mutex mutex_;
  std::vector<T> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_BOUNDED_QUEUE_H_
