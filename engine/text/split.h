// Cutting a text at matches, in the ways tokenizer.json names.
#ifndef MEMORY3_ENGINE_TEXT_SPLIT_H_
#define MEMORY3_ENGINE_TEXT_SPLIT_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/text/regex.h"
#include "engine/text/utf8.h"

namespace memory3 {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
absl::StatusOr<SplitBehavior> ParseSplitBehavior(const std::string& name, const std::string& part);

// A stretch of a text; the stretches of one cut cover it without gap. A match may be empty: it cuts
// where it stands.
struct Stretch {
  size_t begin;
  size_t end;
  bool matched;
};

std::vector<Stretch> FindStretches(const Regex& pattern, std::string_view text);

// One stretch per matching character.
template <typename Predicate>
std::vector<Stretch> FindStretches(Predicate matches, std::string_view text) {
  std::vector<Stretch> stretches;
  size_t position = 0;
  ForEachCharacter(text, [&](char32_t c, std::string_view bytes) {
    const bool matched = matches(c);
    if (!matched && !stretches.empty() && !stretches.back().matched) {
      stretches.back().end += bytes.size();
    } else {
      stretches.push_back({position, position + bytes.size(), matched});
    }
    position += bytes.size();
  });
  return stretches;
}

// The pieces that remain, in order; none is empty.
std::vector<Stretch> ApplyBehavior(std::vector<Stretch> stretches, SplitBehavior behavior);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_SPLIT_H_
