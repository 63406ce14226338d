#include "retrieval/index/retrieval_index.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/aligned_buffer.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "retrieval/index/build_index.h"
#include "retrieval/index/exact_search.h"
#include "retrieval/index/graph.h"
#include "retrieval/index/vectors_file.h"

namespace memory3 {
namespace {

bool IsZero(absl::Span<const float> vector) {
  return std::all_of(vector.begin(), vector.end(), [](float x) { return x == 0; });
}

}  // namespace

class RetrievalIndex::Impl {
 public:
  absl::Status Open(const std::filesystem::path& dir, const IndexOpenOptions& options) {
    M3_ASSIGN_OR_RETURN(embedder_, LoadEmbedder(dir / kEmbedderFile, options.embedder));
    M3_ASSIGN_OR_RETURN(VectorsReader reader, VectorsReader::Open(dir / kVectorsFile));
    if (reader.dimensions() != embedder_->dimensions()) {
      return absl::FailedPreconditionError(
          absl::StrCat(dir.string(), ": the vectors have ", reader.dimensions(),
                       " dimensions, their embedder ", embedder_->name()));
    }
    std::error_code error;
    if (std::filesystem::exists(dir / kGraphFile, error)) {
      M3_ASSIGN_OR_RETURN(graph_, Graph::Load(dir / kGraphFile, reader, options.search_candidates));
      vectors_ = graph_->vectors();
      return absl::OkStatus();
    }
    return OpenVectors(reader);
  }

  const Embedder& embedder() const { return *embedder_; }
  const Graph* graph() const { return graph_.get(); }
  const VectorTable& vectors() const { return vectors_; }

 private:
  absl::Status OpenVectors(VectorsReader& reader) {
    const size_t stride = static_cast<size_t>(reader.dimensions()) * sizeof(float);
    memory_ = AlignedBuffer(std::max(stride * static_cast<size_t>(reader.count()), size_t{1}));
    vectors_ = {reinterpret_cast<const char*>(memory_.data()), stride, reader.count(),
                reader.dimensions()};
    return reader.ReadAll([&](int64_t i) {
      return reinterpret_cast<float*>(memory_.data() + static_cast<size_t>(i) * stride);
    });
  }

  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<Graph> graph_;  // null: every vector is compared
  AlignedBuffer memory_;          // of the vectors, where no graph holds them
  VectorTable vectors_;
};

RetrievalIndex::RetrievalIndex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RetrievalIndex::~RetrievalIndex() = default;
int64_t RetrievalIndex::count() const { return impl_->vectors().count; }
bool RetrievalIndex::has_graph() const { return impl_->graph() != nullptr; }
const Embedder& RetrievalIndex::embedder() const { return impl_->embedder(); }

absl::StatusOr<std::shared_ptr<const RetrievalIndex>> RetrievalIndex::Open(
    const std::filesystem::path& dir, const IndexOpenOptions& options) {
  M3_CHECK(options.search_candidates > 0);
  auto impl = std::make_unique<Impl>();
  M3_RETURN_IF_ERROR(impl->Open(dir, options));
  return std::shared_ptr<const RetrievalIndex>(new RetrievalIndex(std::move(impl)));
}

absl::StatusOr<std::vector<ScoredId>> RetrievalIndex::Search(absl::Span<const float> query,
                                                             int k) const {
  if (impl_->graph() == nullptr) return SearchExact(query, k);
  M3_CHECK(k > 0 && query.size() == static_cast<size_t>(embedder().dimensions()));
  if (IsZero(query)) return std::vector<ScoredId>();
  M3_ASSIGN_OR_RETURN(std::vector<ScoredId> found, impl_->graph()->Search(query, k));
  return found;
}

std::vector<ScoredId> RetrievalIndex::SearchExact(absl::Span<const float> query, int k) const {
  if (IsZero(query)) return {};
  return SearchEvery(impl_->vectors(), query, k);
}

absl::StatusOr<std::vector<std::vector<ScoredId>>> RetrievalIndex::Search(
    absl::Span<const std::string_view> texts, int k) const {
  const auto dimensions = static_cast<size_t>(embedder().dimensions());
  std::vector<float> queries(texts.size() * dimensions);
  M3_RETURN_IF_ERROR(embedder().Embed(texts, absl::MakeSpan(queries)));
  std::vector<std::vector<ScoredId>> results(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const absl::Span<const float> query(queries.data() + i * dimensions, dimensions);
    M3_ASSIGN_OR_RETURN(results[i], Search(query, k));
  }
  return results;
}

}  // namespace memory3
