#include "engine/text/split.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/text/component.h"

namespace memory3 {
namespace {

// A match joins the stretch before it, unless that is a match itself.
std::vector<Stretch> MergeWithPrevious(const std::vector<Stretch>& stretches) {
  std::vector<Stretch> merged;
  bool previous_matched = false;
  for (const Stretch& stretch : stretches) {
    if (stretch.matched && !previous_matched && !merged.empty()) {
      merged.back().end = stretch.end;
    } else {
      merged.push_back(stretch);
    }
    previous_matched = stretch.matched;
  }
  return merged;
}

// A match joins the stretch after it, unless that is a match itself.
std::vector<Stretch> MergeWithNext(const std::vector<Stretch>& stretches) {
  std::vector<Stretch> merged;
  bool next_matched = false;
  for (auto stretch = stretches.rbegin(); stretch != stretches.rend(); ++stretch) {
    if (stretch->matched && !next_matched && !merged.empty()) {
      merged.back().begin = stretch->begin;
    } else {
      merged.push_back(*stretch);
    }
    next_matched = stretch->matched;
  }
  std::reverse(merged.begin(), merged.end());
  return merged;
}

std::vector<Stretch> MergeAlike(const std::vector<Stretch>& stretches) {
  std::vector<Stretch> merged;
  for (const Stretch& stretch : stretches) {
    if (!merged.empty() && merged.back().matched == stretch.matched) {
      merged.back().end = stretch.end;
    } else {
      merged.push_back(stretch);
    }
  }
  return merged;
}

}  // namespace

absl::StatusOr<SplitBehavior> ParseSplitBehavior(const std::string& name, const std::string& part) {
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return ComponentError(part, absl::StrCat("behavior '", name, "' is not supported"));
}

std::vector<Stretch> FindStretches(const Regex& pattern, std::string_view text) {
  std::vector<Stretch> stretches;
  size_t covered = 0;
  std::optional<size_t> last_end;
  for (size_t from = 0; from <= text.size();) {
    const std::optional<Regex::Match> match = pattern.Find(text, from);
    if (!match.has_value()) break;
    if (match->begin == match->end && match->end == last_end) {
      // An empty match right behind a match is none: look for one from the next character on.
      from += from < text.size() ? NextCharacter(text.substr(from)).length : 1;
      continue;
    }
    if (match->begin > covered) stretches.push_back({covered, match->begin, false});
    stretches.push_back({match->begin, match->end, true});
    covered = from = match->end;
    last_end = match->end;
  }
  if (covered < text.size()) stretches.push_back({covered, text.size(), false});
  return stretches;
}

std::vector<Stretch> ApplyBehavior(std::vector<Stretch> stretches, SplitBehavior behavior) {
  if (behavior == SplitBehavior::kMergedWithPrevious) stretches = MergeWithPrevious(stretches);
  if (behavior == SplitBehavior::kMergedWithNext) stretches = MergeWithNext(stretches);
  if (behavior == SplitBehavior::kContiguous) stretches = MergeAlike(stretches);
  const auto drops = [behavior](const Stretch& stretch) {
    return stretch.begin == stretch.end || (behavior == SplitBehavior::kRemoved && stretch.matched);
  };
  stretches.erase(std::remove_if(stretches.begin(), stretches.end(), drops), stretches.end());
  return stretches;
}

}  // namespace memory3
