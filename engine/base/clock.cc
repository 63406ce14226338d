#include "engine/base/clock.h"

#include <algorithm>
#include <chrono>

#include "absl/time/clock.h"

namespace memory3 {

absl::Time RealClock::Now() const { return absl::Now(); }

absl::Duration RealClock::Steady() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

void RealClock::SleepUntil(absl::Duration until, WakeSignal& signal) {
  signal.WaitFor(until - Steady());
}

ManualClock::ManualClock(absl::Time start) : now_(start) {}

absl::Time ManualClock::Now() const {
  MutexLock lock(mutex_);
  return now_;
}

absl::Duration ManualClock::Steady() const {
  MutexLock lock(mutex_);
  return steady_;
}

void ManualClock::SleepUntil(absl::Duration until, WakeSignal& signal) {
  {
    MutexLock lock(mutex_);
    if (steady_ >= until) return signal.WaitFor(absl::ZeroDuration());
    sleepers_.push_back(&signal);
  }
  signal.WaitFor(absl::InfiniteDuration());
  MutexLock lock(mutex_);
  sleepers_.erase(std::find(sleepers_.begin(), sleepers_.end(), &signal));
}

void ManualClock::Advance(absl::Duration by) {
  MutexLock lock(mutex_);
  now_ += by;
  steady_ += by;
  for (WakeSignal* sleeper : sleepers_) sleeper->Set();
}

void ManualClock::JumpCalendar(absl::Duration by) {
  MutexLock lock(mutex_);
  now_ += by;
}

}  // namespace memory3
