#include "engine/text/vocabulary.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace memory3 {

absl::Status Vocabulary::Add(const std::string& token, int64_t id) {
  if (id < 0 || id >= kMaxTokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("token '", token, "': id ", id, " is out of range"));
  }
  if (id >= size()) texts_.resize(id + 1);
  if (!texts_[id].empty() && texts_[id] != token) {
    return absl::InvalidArgumentError(
        absl::StrCat("tokens '", texts_[id], "' and '", token, "' both have id ", id));
  }
  const auto [position, inserted] = ids_.emplace(token, static_cast<int32_t>(id));
  if (!inserted && position->second != id) {
    return absl::InvalidArgumentError(
        absl::StrCat("token '", token, "' has ids ", position->second, " and ", id));
  }
  texts_[id] = token;
  return absl::OkStatus();
}

std::optional<int32_t> Vocabulary::Find(std::string_view token) const {
  const auto found = ids_.find(absl::string_view(token.data(), token.size()));
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

}  // namespace memory3
