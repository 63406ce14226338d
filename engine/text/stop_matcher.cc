#include "engine/text/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace memory3 {

StopMatcher::StopMatcher(std::vector<std::string> stops) {
  patterns_.reserve(stops.size());
  for (std::string& stop : stops) patterns_.push_back(Compile(std::move(stop)));
}

StopMatcher::Pattern StopMatcher::Compile(std::string text) {
  Pattern pattern{.text = std::move(text)};
  pattern.border.assign(pattern.text.size(), 0);
  uint32_t length = 0;
  for (size_t i = 1; i < pattern.text.size(); ++i) {
    while (length > 0 && pattern.text[i] != pattern.text[length]) {
      length = pattern.border[length - 1];
    }
    if (pattern.text[i] == pattern.text[length]) ++length;
    pattern.border[i] = length;
  }
  return pattern;
}

void StopMatcher::Advance(Pattern& pattern, char byte) {
  if (pattern.text.empty()) return;
  while (pattern.matched > 0 && pattern.text[pattern.matched] != byte) {
    pattern.matched = pattern.border[pattern.matched - 1];
  }
  if (pattern.text[pattern.matched] == byte) ++pattern.matched;
}

std::optional<int> StopMatcher::CompletedStop() const {
  std::optional<int> completed;
  size_t length = 0;
  for (size_t i = 0; i < patterns_.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    if (pattern.matched == pattern.text.size() && pattern.matched > length) {
      completed = static_cast<int>(i);
      length = pattern.matched;
    }
  }
  return completed;
}

size_t StopMatcher::LongestPartialMatch() const {
  size_t length = 0;
  for (const Pattern& pattern : patterns_) length = std::max(length, pattern.matched);
  return length;
}

StopMatcher::Result StopMatcher::Push(std::string_view piece) {
  if (stop_.has_value()) return {.stop = stop_};
  std::string text = std::exchange(held_back_, {});
  for (const char byte : piece) {
    text.push_back(byte);
    for (Pattern& pattern : patterns_) Advance(pattern, byte);
    stop_ = CompletedStop();
    if (stop_.has_value()) {
      text.resize(text.size() - patterns_[*stop_].text.size());
      return {.text = std::move(text), .stop = stop_};
    }
  }
  const size_t safe = text.size() - LongestPartialMatch();
  held_back_ = text.substr(safe);
  text.resize(safe);
  return {.text = std::move(text)};
}

std::string StopMatcher::Finish() {
  for (Pattern& pattern : patterns_) pattern.matched = 0;
  return std::exchange(held_back_, {});
}

}  // namespace memory3
