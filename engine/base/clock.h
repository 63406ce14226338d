// Time as the engine sees it, so that tests can move it by hand.
//
// Two clocks in one: Now() is the calendar's, which may jump, for times that leave the process;
// Steady() never goes back and is what durations and deadlines are measured with.
#ifndef MEMORY3_ENGINE_BASE_CLOCK_H_
#define MEMORY3_ENGINE_BASE_CLOCK_H_

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "engine/base/mutex.h"
#include "engine/base/wake_signal.h"

namespace memory3 {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual absl::Time Now() const = 0;
  // Since an origin that is fixed while the process runs.
  virtual absl::Duration Steady() const = 0;
  // Sleeps until `signal` is set, which it clears, or Steady() reaches `until`. May return early.
  virtual void SleepUntil(absl::Duration until, WakeSignal& signal) = 0;
};

class RealClock final : public Clock {
 public:
  absl::Time Now() const override;
  absl::Duration Steady() const override;
  void SleepUntil(absl::Duration until, WakeSignal& signal) override;
};

// Stands still until told otherwise. For tests.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(absl::Time start = absl::FromUnixSeconds(1'700'000'000));

  absl::Time Now() const override;
  absl::Duration Steady() const override;
  void SleepUntil(absl::Duration until, WakeSignal& signal) override;

  // Moves both clocks on and wakes every sleeper, which then looks for itself.
  void Advance(absl::Duration by);
  // Moves the calendar alone, as an administrator or a leap would.
  void JumpCalendar(absl::Duration by);

 private:
  mutable Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  absl::Duration steady_ ABSL_GUARDED_BY(mutex_);
  std::vector<WakeSignal*> sleepers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_CLOCK_H_
