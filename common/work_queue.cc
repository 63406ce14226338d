#include "common/work_queue.h"

#include <utility>

namespace memory3 {

WorkQueue::WorkQueue(int threads, int max_pending) : max_pending_(max_pending) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

WorkQueue::~WorkQueue() { Join(); }

void WorkQueue::Join() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    ready_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool WorkQueue::TryPush(absl::AnyInvocable<void()> task) {
  MutexLock lock(mutex_);
  if (stopping_ || pending_.size() >= max_pending_) return false;
  pending_.push_back(std::move(task));
  ready_.Signal();
  return true;
}

void WorkQueue::Loop() {
  while (true) {
    absl::AnyInvocable<void()> task;
    {
      MutexLock lock(mutex_);
      while (pending_.empty() && !stopping_) ready_.Wait(mutex_);
      if (pending_.empty()) return;
      task = std::move(pending_.front());
      pending_.pop_front();
    }
    task();
  }
}

}  // namespace memory3
