// A few threads for what a gRPC callback must not do itself: parse, render and tokenize requests.
// The queue is bounded: a full one refuses at once. Thread-safe.
#ifndef MEMORY3_COMMON_WORK_QUEUE_H_
#define MEMORY3_COMMON_WORK_QUEUE_H_

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "engine/base/mutex.h"

namespace memory3 {

class WorkQueue {
 public:
  WorkQueue(int threads, int max_pending);
  ~WorkQueue();  // joins
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // False, without running it, when max_pending tasks wait already, or after Join.
  [[nodiscard]] bool TryPush(absl::AnyInvocable<void()> task);

  // Runs what is pending, and ends the threads. For owners of what the tasks use, before it goes;
  // by the thread that destroys the queue.
  void Join();

 private:
  void Loop();

  const size_t max_pending_;
  Mutex mutex_;
  CondVar ready_;
  std::deque<absl::AnyInvocable<void()>> pending_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace memory3

#endif  // MEMORY3_COMMON_WORK_QUEUE_H_
