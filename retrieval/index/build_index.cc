#include "retrieval/index/build_index.h"

#include <algorithm>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "retrieval/index/graph.h"
#include "retrieval/index/vectors_file.h"

namespace memory3 {
namespace {

constexpr int64_t kEmbedBatch = 64;  // texts of one call of the embedder
constexpr int64_t kProgressStep = 1024;

absl::Status MakeFolder(const std::filesystem::path& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  // An earlier build may have had a graph where this one has none.
  if (!error) std::filesystem::remove(dir / kGraphFile, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(dir.string(), ": ", error.message()));
}

class Builder {
 public:
  Builder(const IndexBuildOptions& options, int64_t count, TextOf text_of,
          const std::filesystem::path& dir)
      : options_(options), count_(count), text_of_(text_of), dir_(dir) {}

  absl::Status Run() {
    M3_RETURN_IF_ERROR(MakeFolder(dir_));
    M3_RETURN_IF_ERROR(MakeEmbedder());
    if (count_ >= std::max(options_.exact_below, int64_t{1})) {
      M3_ASSIGN_OR_RETURN(graph_, Graph::Create(options_.graph, embedder_->dimensions(), count_));
    }
    M3_ASSIGN_OR_RETURN(const uint64_t vectors_checksum, WriteVectors());
    return graph_ == nullptr ? absl::OkStatus() : graph_->Save(dir_ / kGraphFile, vectors_checksum);
  }

 private:
  absl::Status MakeEmbedder() {
    const auto text_of = [this](int64_t i) {
      Report("learn", i, /*step=*/kProgressStep);
      return text_of_(i);
    };
    M3_ASSIGN_OR_RETURN(embedder_, BuildEmbedder(options_.embedder, count_, text_of));
    return embedder_->Save(dir_ / kEmbedderFile);
  }

  // Embeds, writes and links batch by batch, so that no vector is in memory twice.
  absl::StatusOr<uint64_t> WriteVectors() {
    const int dimensions = embedder_->dimensions();
    M3_ASSIGN_OR_RETURN(VectorsWriter writer,
                        VectorsWriter::Create(dir_ / kVectorsFile, count_, dimensions));
    std::vector<float> vectors(static_cast<size_t>(kEmbedBatch * dimensions));
    for (int64_t begin = 0; begin < count_; begin += kEmbedBatch) {
      const auto batch = static_cast<size_t>(std::min(kEmbedBatch, count_ - begin));
      const absl::Span<float> rows(vectors.data(), batch * static_cast<size_t>(dimensions));
      M3_RETURN_IF_ERROR(EmbedBatch(begin, batch, rows));
      M3_RETURN_IF_ERROR(writer.Append(rows));
      for (size_t i = 0; i < batch && graph_ != nullptr; ++i) {
        M3_RETURN_IF_ERROR(graph_->Add(
            rows.subspan(i * static_cast<size_t>(dimensions), static_cast<size_t>(dimensions))));
      }
      Report(graph_ == nullptr ? "embed" : "graph", begin, kProgressStep);
    }
    return writer.Finish();
  }

  absl::Status EmbedBatch(int64_t begin, size_t count, absl::Span<float> rows) const {
    std::vector<std::string> texts(count);
    for (size_t i = 0; i < count; ++i) {
      M3_ASSIGN_OR_RETURN(texts[i], text_of_(begin + static_cast<int64_t>(i)));
    }
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    return embedder_->Embed(views, rows);
  }

  void Report(std::string_view stage, int64_t done, int64_t step) const {
    if (options_.progress && done % step == 0) options_.progress(stage, done, count_);
  }

  const IndexBuildOptions& options_;
  const int64_t count_;
  const TextOf text_of_;
  const std::filesystem::path& dir_;
  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<Graph> graph_;
};

}  // namespace

absl::Status BuildRetrievalIndex(const IndexBuildOptions& options, int64_t count, TextOf text_of,
                                 const std::filesystem::path& out_dir) {
  if (count < 0 || count >= kMaxIndexCount) {
    return absl::InvalidArgumentError(
        absl::StrCat("an index holds at most ", kMaxIndexCount - 1, " references, got ", count));
  }
  return Builder(options, count, text_of, out_dir).Run();
}

}  // namespace memory3
