#include "tools/neighbours.h"

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/cpu_count.h"
#include "engine/base/status_macros.h"
#include "engine/base/thread_pool.h"
#include "engine/memory/bank/reference_text.h"
#include "engine/memory/reference_source.h"
#include "nlohmann/json.hpp"
#include "retrieval/index/build_index.h"
#include "retrieval/index/retrieval_index.h"

namespace memory3 {
namespace {

// Removed with all that is in it.
class TemporaryFolder {
 public:
  static absl::StatusOr<TemporaryFolder> Make() {
    std::error_code error;
    std::string path = (std::filesystem::temp_directory_path(error) / "memory3-XXXXXX").string();
    if (error || mkdtemp(path.data()) == nullptr) {
      return absl::UnavailableError(absl::StrCat(path, ": cannot make a temporary folder"));
    }
    return TemporaryFolder(path);
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

struct Texts {
  std::vector<std::string> texts;
  std::vector<std::string> ids;
};

absl::StatusOr<Texts> ReadTexts(const std::filesystem::path& file) {
  if (file.extension() != ".jsonl") {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), ": must end in .jsonl"));
  }
  Texts read;
  M3_RETURN_IF_ERROR(ReadDocuments(file, file.filename().string(), [&read](Document document) {
    read.ids.push_back(document.source_id.empty() ? absl::StrCat(read.ids.size())
                                                  : std::move(document.source_id));
    read.texts.push_back(
        RetrievalText({.text = std::move(document.text), .title = std::move(document.title)}));
    return absl::OkStatus();
  }));
  return read;
}

absl::StatusOr<std::shared_ptr<const RetrievalIndex>> MakeIndex(
    const std::vector<std::string>& references, const NeighboursOptions& asked) {
  M3_ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Make());
  IndexBuildOptions options;
  options.embedder.lexical_dimensions = asked.embedder_dimensions;
  if (asked.exact) options.exact_below = kMaxIndexCount;
  M3_RETURN_IF_ERROR(BuildRetrievalIndex(
      options, static_cast<int64_t>(references.size()),
      [&references](int64_t i) -> absl::StatusOr<std::string> {
        return references[static_cast<size_t>(i)];
      },
      folder.path()));
  return RetrievalIndex::Open(folder.path(), {});
}

// One list per query; the queries are shared out among the threads.
absl::StatusOr<std::vector<std::vector<ScoredId>>> SearchAll(
    const RetrievalIndex& index, const std::vector<std::string>& queries,
    const NeighboursOptions& options) {
  std::vector<std::vector<ScoredId>> found(queries.size());
  ThreadPool pool(options.threads > 0 ? options.threads : UsableCores());
  std::vector<absl::Status> statuses(static_cast<size_t>(pool.threads()));
  pool.Run([&](int part, int parts) {
    const Range share = ShareOf(static_cast<int64_t>(queries.size()), part, parts);
    for (auto i = static_cast<size_t>(share.begin); i < static_cast<size_t>(share.end); ++i) {
      const std::string_view query = queries[i];
      auto result = index.Search({&query, 1}, options.k);
      if (!result.ok()) {
        statuses[static_cast<size_t>(part)] = result.status();
        return;
      }
      found[i] = std::move(result->front());
    }
  });
  for (const absl::Status& status : statuses) M3_RETURN_IF_ERROR(status);
  return found;
}

absl::Status Write(const std::filesystem::path& file, const Texts& references, const Texts& queries,
                   const std::vector<std::vector<ScoredId>>& found) {
  std::ofstream out(file);
  for (size_t i = 0; i < found.size(); ++i) {
    nlohmann::ordered_json ids = nlohmann::ordered_json::array(), scores = ids;
    for (const ScoredId& one : found[i]) {
      ids.push_back(references.ids[one.id]);
      scores.push_back(one.score);
    }
    const nlohmann::ordered_json line = {{"id", queries.ids[i]}, {"ids", ids}, {"scores", scores}};
    out << line.dump() << '\n';  // cannot throw: every id was read as valid UTF-8
  }
  out.close();
  if (!out) return absl::UnavailableError(absl::StrCat(file.string(), ": cannot be written"));
  return absl::OkStatus();
}

absl::Status CheckOptions(const NeighboursOptions& options) {
  const std::pair<const char*, const std::filesystem::path*> files[] = {
      {"--references", &options.references},
      {"--queries", &options.queries},
      {"--out", &options.out}};
  for (const auto& [flag, file] : files) {
    if (file->empty()) return absl::InvalidArgumentError(absl::StrCat(flag, ": must be given"));
  }
  if (options.k < 1 || options.k > kMaxNeighbours) {
    return absl::InvalidArgumentError(absl::StrCat("--k: must be in [1, ", kMaxNeighbours, "]"));
  }
  if (options.threads < 0) {
    return absl::InvalidArgumentError("--threads: must not be negative");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NeighboursCounts> FindNeighbours(const NeighboursOptions& options) {
  M3_RETURN_IF_ERROR(CheckOptions(options));
  M3_ASSIGN_OR_RETURN(const Texts references, ReadTexts(options.references));
  M3_ASSIGN_OR_RETURN(const Texts queries, ReadTexts(options.queries));
  M3_ASSIGN_OR_RETURN(const auto index, MakeIndex(references.texts, options));
  M3_ASSIGN_OR_RETURN(const auto found, SearchAll(*index, queries.texts, options));
  M3_RETURN_IF_ERROR(Write(options.out, references, queries, found));
  return NeighboursCounts{references.texts.size(), queries.texts.size()};
}

}  // namespace memory3
