#include "server/circuit_breaker.h"

#include <algorithm>

namespace memory3 {

bool CircuitBreaker::Allow(absl::Duration now) {
  MutexLock lock(mutex_);
  if (!open_) return true;
  if (probing_ || now < next_probe_) {
    ++refusals_;
    return false;
  }
  probing_ = true;
  return true;
}

void CircuitBreaker::OnSuccess() {
  MutexLock lock(mutex_);
  failures_ = 0;
  open_ = probing_ = false;
  pause_ = kFirstPause;
}

void CircuitBreaker::OnFailure(absl::Duration now) {
  MutexLock lock(mutex_);
  ++failures_;
  if (open_) {
    // A call from before it opened says nothing that is not known.
    if (!probing_) return;
    probing_ = false;
    pause_ = std::min(2 * pause_, kLongestPause);
    Pause(now);
  } else if (failures_ >= kFailuresToOpen) {
    open_ = true;
    ++times_opened_;
    Pause(now);
  }
}

void CircuitBreaker::Pause(absl::Duration now) {
  next_probe_ = now + pause_ * std::uniform_real_distribution<>(0.5, 1.0)(random_);
}

bool CircuitBreaker::open() const {
  MutexLock lock(mutex_);
  return open_;
}

uint64_t CircuitBreaker::times_opened() const {
  MutexLock lock(mutex_);
  return times_opened_;
}

uint64_t CircuitBreaker::refusals() const {
  MutexLock lock(mutex_);
  return refusals_;
}

}  // namespace memory3
