#include "server/special_token_index.h"

namespace memory3 {

SpecialTokenIndex::SpecialTokenIndex(const Tokenizer& tokenizer) {
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view text = tokenizer.TokenText(id);
    if (!tokenizer.IsSpecial(id) || text.empty()) continue;
    int32_t node = 0;
    for (const char c : text) {
      const auto [child, inserted] =
          children_.try_emplace({node, c}, static_cast<int32_t>(token_at_.size()));
      if (inserted) token_at_.push_back(-1);
      node = child->second;
    }
    token_at_[node] = id;
  }
}

std::optional<SpecialTokenIndex::Match> SpecialTokenIndex::Find(std::string_view text,
                                                                size_t from) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    std::optional<Match> longest;
    int32_t node = 0;
    for (size_t i = begin; i < text.size(); ++i) {
      const auto child = children_.find({node, text[i]});
      if (child == children_.end()) break;
      node = child->second;
      if (token_at_[node] >= 0) longest = Match{begin, i + 1 - begin, token_at_[node]};
    }
    if (longest.has_value()) return longest;
  }
  return std::nullopt;
}

}  // namespace memory3
