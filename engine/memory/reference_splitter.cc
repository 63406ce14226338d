#include "engine/memory/reference_splitter.h"

#include <algorithm>
#include <array>

#include "engine/text/unicode.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

bool IsContinuation(char c) { return (c & 0xC0) == 0x80; }

// Bytes of the character that begins at text[at], which is valid UTF-8.
size_t CharacterBytes(std::string_view text, size_t at) {
  size_t bytes = 1;
  while (at + bytes < text.size() && IsContinuation(text[at + bytes])) ++bytes;
  return bytes;
}

// Bytes of the white space that begins at text[at], the ideographic space and its like included; 0:
// none does.
size_t SpaceBytes(std::string_view text, size_t at) {
  if (at >= text.size()) return 0;
  const size_t bytes = CharacterBytes(text, at);
  return IsWhitespace(DecodeCharacter(text.substr(at, bytes))) ? bytes : 0;
}

std::string_view Trim(std::string_view text) {
  while (const size_t bytes = SpaceBytes(text, 0)) text.remove_prefix(bytes);
  while (!text.empty()) {
    size_t last = text.size() - 1;
    while (IsContinuation(text[last])) --last;
    if (SpaceBytes(text, last) == 0) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

template <size_t kCount>
bool IsOneOf(std::string_view character, const std::array<std::string_view, kCount>& set) {
  return std::find(set.begin(), set.end(), character) != set.end();
}

// ASCII marks end a sentence only before white space: "3.14" and "e.g.x" go on.
constexpr std::array<std::string_view, 3> kStops = {".", "!", "?"};
constexpr std::array<std::string_view, 4> kWideStops = {"。", "！", "？", "；"};
constexpr std::array<std::string_view, 9> kClosing = {"\"", "'",  ")",  "]", "”",
                                                      "’",  "」", "』", "）"};

std::vector<std::string_view> SplitWords(std::string_view sentence) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t at = 0; at < sentence.size();) {
    const size_t bytes = CharacterBytes(sentence, at);
    at += bytes;
    // Scripts without spaces may be cut after any character.
    const bool wide = bytes >= 3;
    if (!wide && at < sentence.size() && SpaceBytes(sentence, at) == 0) continue;
    words.push_back(sentence.substr(begin, at - begin));
    begin = at;
  }
  return words;
}

std::vector<std::string_view> SplitCharacters(std::string_view word) {
  std::vector<std::string_view> characters;
  for (size_t at = 0; at < word.size();) {
    const size_t bytes = CharacterBytes(word, at);
    characters.push_back(word.substr(at, bytes));
    at += bytes;
  }
  return characters;
}

// Begins a blank line at `at`? Returns where it ends, or npos.
size_t BlankLineEnd(std::string_view text, size_t at) {
  size_t newlines = 0, end = at;
  while (const size_t bytes = SpaceBytes(text, end)) {
    newlines += text[end] == '\n' ? 1 : 0;
    end += bytes;
  }
  return newlines >= 2 ? end : std::string_view::npos;
}

}  // namespace

std::vector<std::string_view> SplitSentences(std::string_view paragraph) {
  std::vector<std::string_view> sentences;
  size_t begin = 0;
  for (size_t at = 0; at < paragraph.size();) {
    const std::string_view character = paragraph.substr(at, CharacterBytes(paragraph, at));
    at += character.size();
    const bool wide = IsOneOf(character, kWideStops);
    if (!wide && !IsOneOf(character, kStops)) continue;
    while (at < paragraph.size()) {
      const std::string_view next = paragraph.substr(at, CharacterBytes(paragraph, at));
      if (!IsOneOf(next, kClosing) && !IsOneOf(next, kStops) && !IsOneOf(next, kWideStops)) break;
      at += next.size();
    }
    if (!wide && at < paragraph.size() && SpaceBytes(paragraph, at) == 0) continue;
    sentences.push_back(paragraph.substr(begin, at - begin));
    begin = at;
  }
  if (begin < paragraph.size()) sentences.push_back(paragraph.substr(begin));
  return sentences;
}

ReferenceSplitter::ReferenceSplitter(const Tokenizer& tokenizer, int max_tokens)
    : tokenizer_(tokenizer), max_tokens_(max_tokens) {}

int ReferenceSplitter::Tokens(std::string_view text) const {
  return static_cast<int>(
      tokenizer_.Encode(text, {.add_special_tokens = false, .parse_special_tokens = false}).size());
}

void ReferenceSplitter::Split(std::string_view text,
                              std::vector<SplitReference>* references) const {
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = BlankLineEnd(text, at);
    if (end == std::string_view::npos) {
      at += CharacterBytes(text, at);
      continue;
    }
    SplitParagraph(Trim(text.substr(begin, at - begin)), references);
    begin = at = end;
  }
  SplitParagraph(Trim(text.substr(begin)), references);
}

void ReferenceSplitter::SplitParagraph(std::string_view paragraph,
                                       std::vector<SplitReference>* references) const {
  if (paragraph.empty()) return;
  const int tokens = Tokens(paragraph);
  if (tokens == 0) return;
  if (tokens <= max_tokens_) {
    references->push_back({std::string(paragraph), tokens});
    return;
  }
  Pack(paragraph, SplitSentences(paragraph), /*words=*/false, references);
}

void ReferenceSplitter::Pack(std::string_view paragraph,
                             const std::vector<std::string_view>& pieces, bool words,
                             std::vector<SplitReference>* references) const {
  SplitReference open;       // what is gathered so far
  std::string_view covered;  // the same in the paragraph
  const auto close = [&] {
    if (open.tokens > 0) references->push_back(std::move(open));
    open = {};
    covered = {};
  };
  for (const std::string_view piece : pieces) {
    const char* begin = covered.empty() ? piece.data() : covered.data();
    const std::string_view longer(begin, piece.data() + piece.size() - begin);
    const std::string_view text = Trim(longer);
    const int tokens = Tokens(text);
    if (tokens <= max_tokens_) {
      open = {std::string(text), tokens};
      covered = longer;
      continue;
    }
    close();
    const std::string_view alone = Trim(piece);
    const int of_piece = Tokens(alone);
    if (of_piece <= max_tokens_) {
      open = {std::string(alone), of_piece};
      covered = piece;
    } else if (piece.size() > CharacterBytes(piece, 0)) {
      Pack(paragraph, words ? SplitCharacters(piece) : SplitWords(piece), true, references);
    }
    // Else: one character of more tokens than a reference may have. There is none to keep of it.
  }
  close();
}

}  // namespace memory3
