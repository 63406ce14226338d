#include "engine/text/added_tokens.h"

#include <algorithm>

#include "engine/text/unicode.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

size_t PreviousBorder(std::string_view text, size_t position) {
  do {
    --position;
  } while (position > 0 && (static_cast<uint8_t>(text[position]) & 0xC0) == 0x80);
  return position;
}

char32_t CharacterAt(std::string_view text, size_t position) {
  const std::string_view rest = text.substr(position);
  return DecodeCharacter(rest.substr(0, NextCharacter(rest).length));
}

bool WordBefore(std::string_view text, size_t position) {
  return position > 0 && IsWordCharacter(CharacterAt(text, PreviousBorder(text, position)));
}

bool WordAt(std::string_view text, size_t position) {
  return position < text.size() && IsWordCharacter(CharacterAt(text, position));
}

size_t SkipSpaceBackward(std::string_view text, size_t position, size_t stop) {
  while (position > stop) {
    const size_t previous = PreviousBorder(text, position);
    if (previous < stop || !IsWhitespace(CharacterAt(text, previous))) break;
    position = previous;
  }
  return position;
}

size_t SkipSpaceForward(std::string_view text, size_t position) {
  while (position < text.size() && IsWhitespace(CharacterAt(text, position))) {
    position += NextCharacter(text.substr(position)).length;
  }
  return position;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), trie_(1) {
  for (size_t index = 0; index < tokens_.size(); ++index) {
    int node = 0;
    for (char byte : tokens_[index].content) {
      int child = Child(node, byte);
      if (child < 0) {
        child = static_cast<int>(trie_.size());
        auto& children = trie_[node].children;
        children.insert(std::upper_bound(children.begin(), children.end(), std::pair(byte, -1)),
                        {byte, child});
        trie_.emplace_back();
      }
      node = child;
    }
    if (node == 0) continue;
    // Normalization can make two tokens alike: special ones come first, then the order of the file.
    int& token = trie_[node].token;
    if (token < 0 || (tokens_[index].special && !tokens_[token].special)) {
      token = static_cast<int>(index);
    }
  }
}

int AddedTokenMatcher::Child(int node, char byte) const {
  const auto& children = trie_[node].children;
  const auto found = std::lower_bound(children.begin(), children.end(), std::pair(byte, -1));
  return found != children.end() && found->first == byte ? found->second : -1;
}

const AddedToken* AddedTokenMatcher::MatchAt(std::string_view text, size_t position) const {
  const AddedToken* longest = nullptr;
  int node = 0;
  for (size_t i = position; i < text.size(); ++i) {
    node = Child(node, text[i]);
    if (node < 0) break;
    if (trie_[node].token >= 0) longest = &tokens_[trie_[node].token];
  }
  return longest;
}

std::vector<AddedTokenSpan> AddedTokenMatcher::Split(std::string_view text,
                                                     bool find_special) const {
  std::vector<AddedTokenSpan> spans;
  size_t covered = 0;
  for (size_t position = 0; position < text.size();) {
    const AddedToken* token = MatchAt(text, position);
    if (token == nullptr) {
      ++position;
      continue;
    }
    const size_t start = position;
    const size_t stop = position + token->content.size();
    // What matched is done with, even where it does not count.
    position = stop;
    if (token->special && !find_special) continue;
    if (token->single_word && (WordBefore(text, start) || WordAt(text, stop))) continue;
    const size_t end = token->rstrip ? SkipSpaceForward(text, stop) : stop;
    const size_t begin =
        token->lstrip ? std::max(SkipSpaceBackward(text, start, covered), covered) : start;
    if (begin >= end) {  // the token before it swallowed it whole
      covered = std::max(covered, end);
      continue;
    }
    if (begin > covered) spans.push_back({covered, begin, std::nullopt});
    spans.push_back({begin, end, token->id});
    covered = end;
  }
  if (covered < text.size()) spans.push_back({covered, text.size(), std::nullopt});
  return spans;
}

}  // namespace memory3
