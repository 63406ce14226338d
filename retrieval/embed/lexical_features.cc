#include "retrieval/embed/lexical_features.h"

#include <utf8proc.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "engine/text/unicode.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

// Characters of a piece, the border marks included. Measured: adding those of three or five makes
// no difference to recall and doubles the work.
constexpr size_t kPiece = 4;

// Words that hardly a space parts from each other, taken character by character.
bool IsUnspacedScript(char32_t c) {
  constexpr char32_t kFirstKana = 0x3040, kLastKana = 0x30FF, kIterationMark = 0x3005;
  return IsCjkIdeograph(c) || (c >= kFirstKana && c <= kLastKana) || c == kIterationMark;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string Fold(std::string_view text) {
  std::string folded(text);
  if (IsAscii(text)) {
    for (char& c : folded) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return folded;
  }
  if (!IsValidUtf8(folded)) folded = ReplaceInvalidUtf8(folded);
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t length = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(folded.data()),
      static_cast<utf8proc_ssize_t>(folded.size()), &mapped,
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE |
                                     UTF8PROC_CASEFOLD | UTF8PROC_IGNORE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (length >= 0) folded.assign(reinterpret_cast<char*>(mapped), static_cast<size_t>(length));
  return folded;
}

class Extractor {
 public:
  std::vector<LexicalFeature> Run(std::string_view text) {
    const std::string folded = Fold(text);
    ForEachCharacter(folded, [this](char32_t c, std::string_view bytes) { Take(c, bytes); });
    EndWord();
    return Count();
  }

 private:
  void Take(char32_t c, std::string_view bytes) {
    if (IsUnspacedScript(c)) {
      EndWord();
      Add(FeatureKind::kCharacter, bytes);
      if (!last_character_.empty()) {
        Add(FeatureKind::kCharacterPair, last_character_ + std::string(bytes));
      }
      last_character_ = bytes;
      last_word_.clear();
      return;
    }
    last_character_.clear();
    if (!IsWordCharacter(c)) return EndWord();
    if (word_.empty()) borders_.push_back(0);
    word_ += bytes;
    borders_.push_back(word_.size());
  }

  void EndWord() {
    if (word_.empty()) return;
    Add(FeatureKind::kWord, word_);
    // No word holds a space, so neither can two pairs be the same by accident.
    if (!last_word_.empty()) Add(FeatureKind::kWordPair, last_word_ + " " + word_);
    AddPieces();
    last_word_ = std::move(word_);
    word_.clear();
    borders_.clear();
  }

  // Runs of characters of " word ", so that beginnings and ends differ from what is inside.
  void AddPieces() {
    const std::string padded = " " + word_ + " ";
    const size_t length = borders_.size() + 1;  // characters of `padded`
    const auto begin_of = [&](size_t position) {
      if (position == 0) return size_t{0};
      return position == length ? padded.size() : borders_[position - 1] + 1;
    };
    for (size_t first = 0; first + kPiece <= length; ++first) {
      const size_t begin = begin_of(first);
      Add(FeatureKind::kPiece,
          std::string_view(padded).substr(begin, begin_of(first + kPiece) - begin));
    }
  }

  void Add(FeatureKind kind, std::string_view characters) {
    found_.push_back(
        {XXH3_64bits_withSeed(characters.data(), characters.size(), static_cast<uint64_t>(kind)),
         kind, 1});
  }

  std::vector<LexicalFeature> Count() {
    std::sort(found_.begin(), found_.end(), [](const LexicalFeature& a, const LexicalFeature& b) {
      return a.hash != b.hash ? a.hash < b.hash : a.kind < b.kind;
    });
    std::vector<LexicalFeature> distinct;
    for (const LexicalFeature& feature : found_) {
      if (!distinct.empty() && distinct.back().hash == feature.hash) {
        ++distinct.back().occurrences;
      } else {
        distinct.push_back(feature);
      }
    }
    return distinct;
  }

  std::string word_, last_word_, last_character_;
  std::vector<size_t> borders_;  // of the characters of word_, in bytes
  std::vector<LexicalFeature> found_;
};

}  // namespace

std::vector<LexicalFeature> ExtractLexicalFeatures(std::string_view text) {
  return Extractor().Run(text);
}

}  // namespace memory3
