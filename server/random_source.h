// Request ids and sampling seeds. Thread-safe.
#ifndef MEMORY3_SERVER_RANDOM_SOURCE_H_
#define MEMORY3_SERVER_RANDOM_SOURCE_H_

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "engine/base/mutex.h"

namespace memory3 {

class RandomSource {
 public:
  uint64_t Seed() {
    MutexLock lock(mutex_);
    return absl::Uniform<uint64_t>(generator_);
  }
  // "chat-" and 32 hexadecimal digits: distinct across servers and restarts.
  std::string RequestId() {
    MutexLock lock(mutex_);
    return absl::StrCat("chat-", absl::Hex(absl::Uniform<uint64_t>(generator_), absl::kZeroPad16),
                        absl::Hex(absl::Uniform<uint64_t>(generator_), absl::kZeroPad16));
  }

 private:
  Mutex mutex_;
  absl::BitGen generator_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_RANDOM_SOURCE_H_
