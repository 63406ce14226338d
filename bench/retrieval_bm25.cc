#include "bench/retrieval_bm25.h"

#include <cmath>

#include "retrieval/embed/lexical_features.h"
#include "retrieval/index/exact_search.h"

namespace memory3 {
namespace {

constexpr double kK1 = 1.2, kB = 0.75;

bool IsTerm(const LexicalFeature& feature) {
  return feature.kind == FeatureKind::kWord || feature.kind == FeatureKind::kCharacter ||
         feature.kind == FeatureKind::kCharacterPair;
}

}  // namespace

Bm25::Bm25(const std::vector<std::string>& passages) {
  for (const std::string& passage : passages) {
    int length = 0;
    for (const LexicalFeature& feature : ExtractLexicalFeatures(passage)) {
      if (!IsTerm(feature)) continue;
      length += feature.occurrences;
      postings_[feature.hash].push_back({static_cast<int>(lengths_.size()), feature.occurrences});
    }
    lengths_.push_back(length);
    average_length_ += static_cast<double>(length) / static_cast<double>(passages.size());
  }
}

std::vector<ScoredId> Bm25::Search(std::string_view query, int k) const {
  std::vector<double> scores(lengths_.size());
  for (const LexicalFeature& feature : ExtractLexicalFeatures(query)) {
    const auto found = IsTerm(feature) ? postings_.find(feature.hash) : postings_.end();
    if (found == postings_.end()) continue;
    const auto with = static_cast<double>(found->second.size());
    const double rarity =
        std::log(1 + (static_cast<double>(lengths_.size()) - with + 0.5) / (with + 0.5));
    for (const Posting& posting : found->second) {
      const double length = lengths_[static_cast<size_t>(posting.passage)] / average_length_;
      scores[static_cast<size_t>(posting.passage)] +=
          rarity * posting.occurrences * (kK1 + 1) /
          (posting.occurrences + kK1 * (1 - kB + kB * length));
    }
  }
  BestIds best(k);
  for (size_t i = 0; i < scores.size(); ++i) {
    best.Add({static_cast<MemoryId>(i), static_cast<float>(scores[i])});
  }
  return best.Take();
}

}  // namespace memory3
