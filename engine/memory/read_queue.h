// Jobs that wait for a reader's threads: bounded, first in first out.
#ifndef MEMORY3_ENGINE_MEMORY_READ_QUEUE_H_
#define MEMORY3_ENGINE_MEMORY_READ_QUEUE_H_

#include <cstddef>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "engine/base/mutex.h"
#include "engine/memory/memory_reader.h"

namespace memory3 {

// Thread-safe.
class ReadQueue {
 public:
  explicit ReadQueue(int limit) : limit_(limit) {}

  // ResourceExhausted when full.
  [[nodiscard]] absl::Status Push(ReadJob&& job) {
    MutexLock lock(mutex_);
    if (jobs_.size() >= limit_) {
      return absl::ResourceExhaustedError("too many reads wait for the device");
    }
    jobs_.push_back(std::move(job));
    changed_.Signal();
    return absl::OkStatus();
  }

  // False when there is none.
  bool TryPop(ReadJob* job) {
    MutexLock lock(mutex_);
    return Pop(job);
  }

  // Waits for a job. False once closed and empty.
  bool WaitAndPop(ReadJob* job) {
    MutexLock lock(mutex_);
    while (jobs_.empty() && !closed_) changed_.Wait(mutex_);
    return Pop(job);
  }

  // Nobody pushes any more; what is queued can still be popped.
  void Close() {
    MutexLock lock(mutex_);
    closed_ = true;
    changed_.SignalAll();
  }
  bool closed() const {
    MutexLock lock(mutex_);
    return closed_;
  }
  bool empty() const {
    MutexLock lock(mutex_);
    return jobs_.empty();
  }

 private:
  bool Pop(ReadJob* job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (jobs_.empty()) return false;
    *job = std::move(jobs_.front());
    jobs_.pop_front();
    return true;
  }

  const size_t limit_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<ReadJob> jobs_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_READ_QUEUE_H_
