// What is worth a line in the log the first time and noise the next: errors of something that is
// tried again and again.
#ifndef MEMORY3_COMMON_ONCE_PER_TEXT_H_
#define MEMORY3_COMMON_ONCE_PER_TEXT_H_

#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"

namespace memory3 {

// Not thread-safe.
class OncePerText {
 public:
  // Texts remembered; further new ones are not told, until Forget.
  static constexpr size_t kMaxTexts = 64;

  // True for the first time.
  [[nodiscard]] bool IsNew(std::string_view text) {
    return texts_.size() < kMaxTexts && texts_.emplace(text).second;
  }
  void Forget() { texts_.clear(); }

 private:
  absl::flat_hash_set<std::string> texts_;
};

}  // namespace memory3

#endif  // MEMORY3_COMMON_ONCE_PER_TEXT_H_
