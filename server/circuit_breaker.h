// Keeps a service that does not answer from being asked by every request.
//
// Closed: calls go through. After kFailuresToOpen failures in a row it opens: calls are refused at
// once, but for one probe after a pause. A probe that works closes it again; one that fails makes
// the next pause longer, up to kLongestPause, so that what comes back is noticed within a second.
// Pauses are random by half, so that several servers do not knock together.
#ifndef MEMORY3_SERVER_CIRCUIT_BREAKER_H_
#define MEMORY3_SERVER_CIRCUIT_BREAKER_H_

#include <cstdint>
#include <random>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "engine/base/mutex.h"

namespace memory3 {

// Thread-safe. Times are a steady clock's.
class CircuitBreaker {
 public:
  static constexpr int kFailuresToOpen = 3;
  static constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
  static constexpr absl::Duration kLongestPause = absl::Milliseconds(250);

  explicit CircuitBreaker(uint64_t seed) : random_(seed) {}

  // True: make the call, and tell how it went with exactly one of the two below.
  bool Allow(absl::Duration now);
  void OnSuccess();
  void OnFailure(absl::Duration now);

  bool open() const;
  uint64_t times_opened() const;
  uint64_t refusals() const;  // calls that Allow refused

 private:
  void Pause(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool probing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration pause_ ABSL_GUARDED_BY(mutex_) = kFirstPause;
  absl::Duration next_probe_ ABSL_GUARDED_BY(mutex_);
  uint64_t times_opened_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t refusals_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_CIRCUIT_BREAKER_H_
