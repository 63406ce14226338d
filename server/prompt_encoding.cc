#include "server/prompt_encoding.h"

#include <cstddef>
#include <optional>

namespace memory3 {
namespace {

using Match = SpecialTokenIndex::Match;

void AppendPlain(std::string_view text, const Tokenizer& tokenizer, std::vector<int32_t>* ids) {
  if (text.empty()) return;
  const std::vector<int32_t> piece =
      tokenizer.Encode(text, {.add_special_tokens = false, .parse_special_tokens = false});
  ids->insert(ids->end(), piece.begin(), piece.end());
}

// Whether a special token of the joined text has a byte that the template did not write.
bool SpellsSpecialToken(std::string_view text, absl::Span<const TemplateSegment> segments,
                        const SpecialTokenIndex& special) {
  size_t segment = 0;
  size_t segment_end = segments.empty() ? 0 : segments[0].text.size();
  std::optional<Match> match = special.Find(text, 0);
  while (match.has_value()) {
    while (segment_end <= match->begin) segment_end += segments[++segment].text.size();
    size_t covered = segment_end;
    for (size_t i = segment;; covered += segments[++i].text.size()) {
      if (!segments[i].from_template && !segments[i].text.empty()) return true;
      if (covered >= match->begin + match->size) break;
    }
    match = special.Find(text, match->begin + match->size);
  }
  return false;
}

}  // namespace

std::string JoinSegments(absl::Span<const TemplateSegment> segments) {
  std::string text;
  for (const TemplateSegment& segment : segments) text += segment.text;
  return text;
}

std::vector<int32_t> EncodeSegments(absl::Span<const TemplateSegment> segments,
                                    const Tokenizer& tokenizer, const SpecialTokenIndex& special) {
  const std::string joined = JoinSegments(segments);
  if (!SpellsSpecialToken(joined, segments, special)) {
    return tokenizer.Encode(joined, {.add_special_tokens = false, .parse_special_tokens = true});
  }
  // Cut at the template's special tokens only; everything between them is plain text, whoever wrote
  // it.
  std::vector<int32_t> ids;
  std::string plain;
  for (const TemplateSegment& segment : segments) {
    if (!segment.from_template) {
      plain += segment.text;
      continue;
    }
    const std::string_view text = segment.text;
    size_t from = 0;
    while (const std::optional<Match> match = special.Find(text, from)) {
      plain += text.substr(from, match->begin - from);
      AppendPlain(plain, tokenizer, &ids);
      plain.clear();
      ids.push_back(match->id);
      from = match->begin + match->size;
    }
    plain += text.substr(from);
  }
  AppendPlain(plain, tokenizer, &ids);
  return ids;
}

std::vector<int32_t> EncodeRawPrompt(std::string_view text, const Tokenizer& tokenizer,
                                     int32_t bos_token) {
  std::vector<int32_t> ids =
      tokenizer.Encode(text, {.add_special_tokens = true, .parse_special_tokens = true});
  if (ids.size() >= 2 && ids[0] == bos_token && ids[1] == bos_token) ids.erase(ids.begin());
  return ids;
}

}  // namespace memory3
