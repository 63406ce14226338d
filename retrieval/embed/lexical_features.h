// What a text consists of, as the lexical embedder sees it: words, pairs of neighbouring words and
// pieces of words; in Chinese and Japanese, where no spaces part the words, characters and pairs of
// neighbouring characters.
#ifndef MEMORY3_RETRIEVAL_EMBED_LEXICAL_FEATURES_H_
#define MEMORY3_RETRIEVAL_EMBED_LEXICAL_FEATURES_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace memory3 {

enum class FeatureKind : uint8_t { kWord, kWordPair, kPiece, kCharacter, kCharacterPair };
inline constexpr int kFeatureKinds = 5;

struct LexicalFeature {
  uint64_t hash = 0;  // of kind and characters, 64 bits: features do not collide in practice
  FeatureKind kind = FeatureKind::kWord;
  int occurrences = 0;
};

// The distinct features, ordered by hash. Compatibility forms and case are folded first (NFKC and
// Unicode case folding), so full-width, ligature and upper-case spellings are the same.
std::vector<LexicalFeature> ExtractLexicalFeatures(std::string_view text);

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_LEXICAL_FEATURES_H_
