// Tokens and their ids: the model's own and the added ones.
#ifndef MEMORY3_ENGINE_TEXT_VOCABULARY_H_
#define MEMORY3_ENGINE_TEXT_VOCABULARY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

namespace memory3 {

// Immutable once filled; safe from any thread.
class Vocabulary {
 public:
  // Far above any published vocabulary; an id beyond it is an error in the file and not a reason to
  // allocate.
  static constexpr int64_t kMaxTokens = int64_t{1} << 24;

  // InvalidArgument for an id out of range, or one that another token has.
  absl::Status Add(const std::string& token, int64_t id);

  std::optional<int32_t> Find(std::string_view token) const;
  // Empty for an id that no token has.
  std::string_view Text(int32_t id) const {
    return id >= 0 && id < size() ? std::string_view(texts_[id]) : std::string_view();
  }
  // One more than the largest id.
  int size() const { return static_cast<int>(texts_.size()); }

 private:
  absl::flat_hash_map<std::string, int32_t> ids_;
  std::vector<std::string> texts_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_VOCABULARY_H_
