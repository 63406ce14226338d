// The index of one bank, opened: nearest references of a text or a vector.
//
//   M3_ASSIGN_OR_RETURN(auto index, RetrievalIndex::Open(bank_dir / "index", {}));
//   M3_ASSIGN_OR_RETURN(auto results, index->Search({"who wrote it?"}, 5));
#ifndef MEMORY3_RETRIEVAL_INDEX_RETRIEVAL_INDEX_H_
#define MEMORY3_RETRIEVAL_INDEX_RETRIEVAL_INDEX_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "retrieval/embed/embedder_factory.h"
#include "retrieval/index/scored_id.h"

namespace memory3 {

struct IndexOpenOptions {
  EmbedderLoadOptions embedder;
  // Breadth of a graph search (ef): more finds more and takes longer.
  int search_candidates = 256;
};

// Immutable; thread-safe.
class RetrievalIndex {
 public:
  // Checks every byte of every file. DataLoss naming the file when one is damaged, NotFound when
  // one is missing, FailedPrecondition when they do not belong together.
  static absl::StatusOr<std::shared_ptr<const RetrievalIndex>> Open(
      const std::filesystem::path& dir, const IndexOpenOptions& options);
  RetrievalIndex(const RetrievalIndex&) = delete;
  RetrievalIndex& operator=(const RetrievalIndex&) = delete;
  ~RetrievalIndex();

  int64_t count() const;
  bool has_graph() const;
  const Embedder& embedder() const;

  // The k nearest of one query vector of embedder().dimensions() floats, best first; ties go to the
  // lower id. Fewer when there are fewer, none for the zero vector.
  // ResourceExhausted when memory runs out.
  absl::StatusOr<std::vector<ScoredId>> Search(absl::Span<const float> query, int k) const;
  // The same, always by comparing with every vector.
  std::vector<ScoredId> SearchExact(absl::Span<const float> query, int k) const;
  // Embeds and searches: one result per text.
  absl::StatusOr<std::vector<std::vector<ScoredId>>> Search(
      absl::Span<const std::string_view> texts, int k) const;

 private:
  class Impl;
  explicit RetrievalIndex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_RETRIEVAL_INDEX_H_
