// Wakes one sleeping thread. A Set that comes before the wait is remembered, so that no wake-up is
// lost; several are one. Set is safe from any thread; one thread waits.
#ifndef MEMORY3_ENGINE_BASE_WAKE_SIGNAL_H_
#define MEMORY3_ENGINE_BASE_WAKE_SIGNAL_H_

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "engine/base/mutex.h"

namespace memory3 {

class WakeSignal {
 public:
  void Set() {
    MutexLock lock(mutex_);
    set_ = true;
    changed_.Signal();
  }

  // Sleeps until Set was called or `timeout` passed, and clears the signal. May return early.
  void WaitFor(absl::Duration timeout) {
    MutexLock lock(mutex_);
    if (!set_ && timeout > absl::ZeroDuration()) changed_.WaitFor(mutex_, timeout);
    set_ = false;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_WAKE_SIGNAL_H_
