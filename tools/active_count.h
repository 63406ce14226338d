// Counts requests under way, and waits until few enough are. Thread-safe.
#ifndef MEMORY3_TOOLS_ACTIVE_COUNT_H_
#define MEMORY3_TOOLS_ACTIVE_COUNT_H_

#include "absl/base/thread_annotations.h"
#include "engine/base/mutex.h"

namespace memory3 {

class ActiveCount {
 public:
  void Add() {
    MutexLock lock(mutex_);
    ++active_;
  }
  void Remove() {
    MutexLock lock(mutex_);
    --active_;
    fewer_.Signal();
  }
  // By one thread.
  void AwaitAtMost(int limit) {
    MutexLock lock(mutex_);
    while (active_ > limit) fewer_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar fewer_;
  int active_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_ACTIVE_COUNT_H_
