// The embedder that needs no model: n-grams of words and characters, weighted by how rare they are
// in the bank and hashed with signs into a few hundred dimensions (feature hashing, Weinberger et
// al. 2009). Equal bits on every machine: nothing in it comes from a maths library.
#ifndef MEMORY3_RETRIEVAL_EMBED_LEXICAL_EMBEDDER_H_
#define MEMORY3_RETRIEVAL_EMBED_LEXICAL_EMBEDDER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "retrieval/embed/embedder.h"

namespace memory3 {

// In how many texts a feature occurs, by a hash of 20 bits: features that share a bucket count
// together, which in a large bank makes rare ones look a little less rare.
inline constexpr int kFrequencyBits = 20;
inline constexpr int kMinLexicalDimensions = 64;

struct LexicalStatistics {
  uint64_t texts = 0;
  std::vector<uint32_t> frequencies;  // of each bucket; 2^kFrequencyBits
};

// Learns from texts one by one. Not thread-safe.
class LexicalLearner {
 public:
  LexicalLearner();
  void Add(std::string_view text);
  LexicalStatistics Take() { return std::move(statistics_); }

 private:
  LexicalStatistics statistics_;
};

class LexicalEmbedder : public Embedder {
 public:
  // dimensions: in [kMinLexicalDimensions, kMaxDimensions].
  LexicalEmbedder(int dimensions, LexicalStatistics statistics);
  static absl::StatusOr<std::unique_ptr<LexicalEmbedder>> Load(const std::filesystem::path& file);

  std::string name() const override;
  int dimensions() const override { return dimensions_; }
  absl::Status Embed(absl::Span<const std::string_view> texts,
                     absl::Span<float> out) const override;
  absl::Status Save(const std::filesystem::path& file) const override;

 private:
  void EmbedOne(std::string_view text, absl::Span<float> out) const;

  const int dimensions_;
  const LexicalStatistics statistics_;
  std::vector<float> rarities_;  // of each bucket
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_LEXICAL_EMBEDDER_H_
