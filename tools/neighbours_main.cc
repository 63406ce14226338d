// memory3-neighbours: which references the retrieval service would find for each of many texts.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/base/cpu_count.h"
#include "engine/base/flag_help.h"
#include "engine/base/status_macros.h"
#include "engine/base/thread_pool.h"
#include "engine/memory/bank/reference_text.h"
#include "engine/memory/reference_source.h"
#include "nlohmann/json.hpp"
#include "retrieval/index/build_index.h"
#include "retrieval/index/retrieval_index.h"

ABSL_FLAG(
    std::string, references, "",
    "What is searched: a .jsonl file as memory3-bank build takes it, one reference per line.");
ABSL_FLAG(std::string, queries, "",
          "What is searched for: a .jsonl file; a line is an object with text and optionally id.");
ABSL_FLAG(std::string, out, "", "The .jsonl file to write, one line per query, in their order.");
ABSL_FLAG(int, k, 5, "References per query.");
ABSL_FLAG(int, embedder_dimensions, 1024, "Of the lexical embedder's vectors, as of the bank.");
ABSL_FLAG(bool, exact, false,
          "Compare with every reference, however many: what a search graph misses is found too.");
ABSL_FLAG(int, threads, 0, "Threads that search; 0: one per core.");

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(usage: memory3-neighbours --references FILE.jsonl --queries FILE.jsonl --out FILE.jsonl [flags]

Finds for every query the references that memory3-retrieval finds in a bank of these references: same
texts, same lexical embedder, same index. Training pairs its texts with memories by it. No reference
is cut or dropped as a duplicate, as memory3-bank build may do.
A line of the answer: {"id": query's id, "ids": [references' ids], "scores": [...]}, best first; an
id is the line's, or else its number from 0.

  memory3-neighbours --references encyclopaedia.jsonl --queries questions.jsonl --k 5 --out n.jsonl)";

constexpr int kMaxNeighbours = 1000;

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
    const std::vector<std::string>& references) {
  M3_ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Make());
  IndexBuildOptions options;
  options.embedder.lexical_dimensions = absl::GetFlag(FLAGS_embedder_dimensions);
  if (absl::GetFlag(FLAGS_exact)) options.exact_below = kMaxIndexCount;
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
    const RetrievalIndex& index, const std::vector<std::string>& queries) {
  std::vector<std::vector<ScoredId>> found(queries.size());
  const int threads = absl::GetFlag(FLAGS_threads);
  ThreadPool pool(threads > 0 ? threads : UsableCores());
  std::vector<absl::Status> statuses(static_cast<size_t>(pool.threads()));
  pool.Run([&](int part, int parts) {
    const Range share = ShareOf(static_cast<int64_t>(queries.size()), part, parts);
    for (auto i = static_cast<size_t>(share.begin); i < static_cast<size_t>(share.end); ++i) {
      const std::string_view query = queries[i];
      auto result = index.Search({&query, 1}, absl::GetFlag(FLAGS_k));
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
    out << nlohmann::ordered_json{{"id", queries.ids[i]}, {"ids", ids}, {"scores", scores}} << '\n';
  }
  out.close();
  if (!out) return absl::UnavailableError(absl::StrCat(file.string(), ": cannot be written"));
  return absl::OkStatus();
}

absl::Status Run(size_t words) {
  if (words > 1) return absl::InvalidArgumentError("give flags only; see --help");
  const std::pair<const char*, std::string> files[] = {
      {"--references", absl::GetFlag(FLAGS_references)},
      {"--queries", absl::GetFlag(FLAGS_queries)},
      {"--out", absl::GetFlag(FLAGS_out)}};
  for (const auto& [flag, file] : files) {
    if (file.empty()) return absl::InvalidArgumentError(absl::StrCat(flag, ": must be given"));
  }
  const int k = absl::GetFlag(FLAGS_k);
  if (k < 1 || k > kMaxNeighbours) {
    return absl::InvalidArgumentError(absl::StrCat("--k: must be in [1, ", kMaxNeighbours, "]"));
  }
  if (absl::GetFlag(FLAGS_threads) < 0) {
    return absl::InvalidArgumentError("--threads: must not be negative");
  }
  M3_ASSIGN_OR_RETURN(const Texts references, ReadTexts(files[0].second));
  M3_ASSIGN_OR_RETURN(const Texts queries, ReadTexts(files[1].second));
  M3_ASSIGN_OR_RETURN(const auto index, MakeIndex(references.texts));
  M3_ASSIGN_OR_RETURN(const auto found, SearchAll(*index, queries.texts));
  M3_RETURN_IF_ERROR(Write(files[2].second, references, queries, found));
  std::printf("%s: %zu queries, %zu references\n", files[2].second.c_str(), queries.texts.size(),
              references.texts.size());
  return absl::OkStatus();
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {memory3::kUsage, {"tools/neighbours_main.cc"}})) {
    return 0;
  }
  const absl::Status status = memory3::Run(memory3::ParseFlagsOrExit(argc, argv).size());
  if (status.ok()) return 0;
  std::fprintf(stderr, "memory3-neighbours: %s\n", std::string(status.message()).c_str());
  // As for every program here: 2 for what was asked wrongly, 1 for what went wrong.
  return absl::IsInvalidArgument(status) ? 2 : 1;
}
