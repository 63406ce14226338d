#include "tools/evaluate/answer_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "engine/base/string_views.h"

namespace memory3 {
namespace {

constexpr std::string_view kFullStops[] = {".", "。"};

void Trim(std::string_view* text) {
  for (bool changed = true; changed;) {
    const size_t before = text->size();
    *text = StdView(absl::StripAsciiWhitespace(AbslView(*text)));
    for (const std::string_view stop : kFullStops) {
      if (text->ends_with(stop)) text->remove_suffix(stop.size());
    }
    changed = text->size() != before;
  }
}

bool IsWordByte(char byte) { return absl::ascii_isalnum(static_cast<unsigned char>(byte)); }

bool HoldsWords(std::string_view text, std::string_view words) {
  for (size_t at = text.find(words); at != std::string_view::npos; at = text.find(words, at + 1)) {
    const size_t end = at + words.size();
    const bool begins = at == 0 || !IsWordByte(text[at - 1]) || !IsWordByte(words.front());
    const bool ends = end == text.size() || !IsWordByte(text[end]) || !IsWordByte(words.back());
    if (begins && ends) return true;
  }
  return false;
}

}  // namespace

std::string NormalizedAnswer(std::string_view answer) {
  Trim(&answer);
  std::string text = absl::AsciiStrToLower(AbslView(answer));
  absl::RemoveExtraAsciiWhitespace(&text);
  return text;
}

bool IsRight(std::string_view answer, std::string_view expected, AnswerMatch match) {
  const std::string given = NormalizedAnswer(answer), wanted = NormalizedAnswer(expected);
  if (wanted.empty()) return false;
  return match == AnswerMatch::kExact ? given == wanted : HoldsWords(given, wanted);
}

bool SaysUnknown(std::string_view answer, const absl::flat_hash_set<std::string>& unknown_answers,
                 AnswerMatch match) {
  return std::any_of(unknown_answers.begin(), unknown_answers.end(),
                     [&](const std::string& unknown) { return IsRight(answer, unknown, match); });
}

}  // namespace memory3
