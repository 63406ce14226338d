// How long to wait before the next try of something that failed: doubling, up to a limit, and
// shortened at random, so that the callers of a service that went away do not come back together.
#ifndef MEMORY3_ENGINE_RETRY_BACKOFF_H_
#define MEMORY3_ENGINE_RETRY_BACKOFF_H_

#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace memory3 {

// Not thread-safe.
class RetryBackoff {
 public:
  static constexpr absl::Duration kFirst = absl::Milliseconds(10);
  static constexpr absl::Duration kLongest = absl::Seconds(1);

  explicit RetryBackoff(uint64_t seed) : random_(seed) {}

  // After `failures` of them in a row, at least 1: half to all of kFirst * 2^(failures - 1), at
  // most kLongest.
  absl::Duration Next(int failures) {
    absl::Duration full = kFirst;
    for (int i = 1; i < failures && full < kLongest; ++i) full *= 2;
    if (full > kLongest) full = kLongest;
    return full * std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_RETRY_BACKOFF_H_
