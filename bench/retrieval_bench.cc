// Measures retrieval: how many supporting passages are found, and what a large index costs.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "bench/retrieval_bm25.h"
#include "bench/retrieval_qa.h"
#include "bench/retrieval_synthetic.h"
#include "engine/base/flag_help.h"
#include "engine/base/status_macros.h"
#include "retrieval/index/build_index.h"
#include "retrieval/index/exact_search.h"
#include "retrieval/index/graph.h"
#include "retrieval/index/retrieval_index.h"
#include "tools/percentiles.h"
#include "tools/table.h"

ABSL_FLAG(std::string, hotpot_questions, "", "HotpotQA questions (JSON)");
ABSL_FLAG(std::string, hotpot_corpus, "", "HotpotQA passages by title (JSON)");
ABSL_FLAG(std::vector<std::string>, squad, {}, "files in SQuAD's layout, separated by commas");
ABSL_FLAG(std::string, world, "", "folder that memory3_training.world wrote");
ABSL_FLAG(std::string, embedder_model_dir, "", "measures this transformer too");
ABSL_FLAG(int64_t, synthetic, 0, "measures an index of so many synthetic references");
ABSL_FLAG(std::string, synthetic_kind, "vectors", "vectors or texts");
ABSL_FLAG(int, dimensions, 1024, "of lexical and synthetic vectors");
ABSL_FLAG(int, links, memory3::GraphParameters{}.links, "of the graphs (M)");
ABSL_FLAG(int, synthetic_queries, 1000, "queries whose latency is measured");
ABSL_FLAG(int, synthetic_checked, 200, "queries that are compared with exact search");
ABSL_FLAG(std::string, work_dir, "", "folder for the files of indexes; default: a temporary one");

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(retrieval_bench [--hotpot_questions=F --hotpot_corpus=F] [--squad=F,...] [--world=DIR]
                [--synthetic=N] ...

Prints tables of markdown: recall@5 of the supporting passages by exact search, by graph and by BM25,
CPU time of a search; build rate, latency and recall@5 against exact search of a large synthetic index.
)";

constexpr int kResults = 5;
constexpr int kSearchCandidates[] = {64, 128, 256, 512};

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Of this thread: what a latency would be without neighbours on the machine.
double CpuSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

using Search = absl::FunctionRef<std::vector<ScoredId>(const std::string& query)>;

struct Found {
  double recall = 0;            // share of all supporting passages that are among the first five
  double cpu_microseconds = 0;  // of a search, in the mean
};

Found Measure(const QaSet& set, Search search) {
  int64_t found = 0, wanted = 0;
  double seconds = 0;
  for (const QaQuestion& question : set.questions) {
    const std::vector<int>& passages = question.passages;
    wanted += static_cast<int64_t>(passages.size());
    const double begin = CpuSeconds();
    const std::vector<ScoredId> nearest = search(question.text);
    seconds += CpuSeconds() - begin;
    for (const ScoredId& scored : nearest) {
      found += std::count(passages.begin(), passages.end(), static_cast<int>(scored.id));
    }
  }
  return {static_cast<double>(found) / static_cast<double>(wanted),
          seconds * 1e6 / static_cast<double>(set.questions.size())};
}

void AddRow(const QaSet& set, const std::string& method, const Found& found, Table& table) {
  table.AddRow({Cell(set.name), Cell(static_cast<int64_t>(set.passages.size())), Cell(method),
                Cell(found.recall, 4), Cell(found.cpu_microseconds, 0)});
}

absl::Status MeasureEmbedder(const QaSet& set, const EmbedderOptions& embedder,
                             const std::filesystem::path& dir, Table& table) {
  IndexBuildOptions build;
  build.embedder = embedder;
  build.graph.links = absl::GetFlag(FLAGS_links);
  build.exact_below = 0;
  M3_RETURN_IF_ERROR(BuildRetrievalIndex(
      build, static_cast<int64_t>(set.passages.size()),
      [&set](int64_t i) { return set.passages[static_cast<size_t>(i)]; }, dir));
  IndexOpenOptions open;
  open.embedder = {embedder.model_dir, embedder.threads};
  const auto measure = [&set](const RetrievalIndex& index, bool exact) {
    return Measure(set, [&index, exact](const std::string& query) {
      std::vector<float> vector(static_cast<size_t>(index.embedder().dimensions()));
      if (!index.embedder().Embed({query}, absl::MakeSpan(vector)).ok()) {
        return std::vector<ScoredId>();
      }
      return exact ? index.SearchExact(vector, kResults)
                   : index.Search(vector, kResults).value_or(std::vector<ScoredId>());
    });
  };
  for (const int candidates : kSearchCandidates) {
    open.search_candidates = candidates;
    M3_ASSIGN_OR_RETURN(const auto index, RetrievalIndex::Open(dir, open));
    const std::string name = index->embedder().name();
    if (candidates == kSearchCandidates[0]) {
      AddRow(set, name + ", exact", measure(*index, /*exact=*/true), table);
    }
    AddRow(set, absl::StrCat(name, ", graph, ef ", candidates), measure(*index, false), table);
  }
  return absl::OkStatus();
}

absl::Status MeasureRecall(const QaSet& set, const std::filesystem::path& dir, Table& table) {
  for (const int dimensions : {384, 768, absl::GetFlag(FLAGS_dimensions)}) {
    M3_RETURN_IF_ERROR(
        MeasureEmbedder(set, {.lexical_dimensions = dimensions}, dir / "index", table));
  }
  if (const std::string model = absl::GetFlag(FLAGS_embedder_model_dir); !model.empty()) {
    M3_RETURN_IF_ERROR(MeasureEmbedder(
        set, {.kind = EmbedderKind::kTransformer, .model_dir = model}, dir / "index", table));
  }
  const Bm25 bm25(set.passages);
  AddRow(set, "BM25",
         Measure(set, [&](const std::string& query) { return bm25.Search(query, kResults); }),
         table);
  return absl::OkStatus();
}

using Make = absl::FunctionRef<absl::Status(int64_t i, absl::Span<float> out)>;

absl::Status BuildSynthetic(int64_t count, int dimensions, const std::filesystem::path& dir,
                            Make make) {
  const Clock::time_point begin = Clock::now();
  double linking = 0;
  M3_ASSIGN_OR_RETURN(VectorsWriter writer,
                      VectorsWriter::Create(dir / kVectorsFile, count, dimensions));
  M3_ASSIGN_OR_RETURN(const std::unique_ptr<Graph> graph,
                      Graph::Create({.links = absl::GetFlag(FLAGS_links)}, dimensions, count));
  std::vector<float> vector(static_cast<size_t>(dimensions));
  for (int64_t i = 0; i < count; ++i) {
    M3_RETURN_IF_ERROR(make(i, absl::MakeSpan(vector)));
    M3_RETURN_IF_ERROR(writer.Append(vector));
    const double added = CpuSeconds();
    M3_RETURN_IF_ERROR(graph->Add(vector));
    linking += CpuSeconds() - added;
    if ((i + 1) % 10'000 == 0) {
      std::fprintf(stderr, "\r%lld of %lld, %.0f/s", static_cast<long long>(i + 1),
                   static_cast<long long>(count), static_cast<double>(i + 1) / SecondsSince(begin));
    }
  }
  M3_ASSIGN_OR_RETURN(const uint64_t checksum, writer.Finish());
  M3_RETURN_IF_ERROR(graph->Save(dir / kGraphFile, checksum));
  const auto vectors = static_cast<double>(count);
  std::fprintf(stderr, "\n");
  std::printf(
      "built %lld vectors of %d dimensions in %.0f s: %.0f/s; linking alone %.0f a CPU second\n",
      static_cast<long long>(count), dimensions, SecondsSince(begin), vectors / SecondsSince(begin),
      vectors / linking);
  return absl::OkStatus();
}

// One query after another on one thread.
absl::Status SearchSynthetic(Graph& graph, int64_t count, Make make_query, Table& table) {
  const int queries = absl::GetFlag(FLAGS_synthetic_queries);
  const int checked = std::min(absl::GetFlag(FLAGS_synthetic_checked), queries);
  const int dimensions = graph.vectors().dimensions;
  std::vector<std::vector<float>> vectors(static_cast<size_t>(queries));
  for (int i = 0; i < queries; ++i) {
    vectors[static_cast<size_t>(i)].resize(static_cast<size_t>(dimensions));
    M3_RETURN_IF_ERROR(make_query(i, absl::MakeSpan(vectors[static_cast<size_t>(i)])));
  }
  std::vector<std::vector<ScoredId>> exact;
  for (int i = 0; i < checked; ++i) {
    exact.push_back(SearchEvery(graph.vectors(), vectors[static_cast<size_t>(i)], kResults));
  }
  for (const int candidates : kSearchCandidates) {
    graph.set_search_candidates(candidates);
    std::vector<double> microseconds, cpu_microseconds;
    int64_t found = 0;
    for (int i = 0; i < queries; ++i) {
      const Clock::time_point begin = Clock::now();
      const double cpu_begin = CpuSeconds();
      M3_ASSIGN_OR_RETURN(const std::vector<ScoredId> results,
                          graph.Search(vectors[static_cast<size_t>(i)], kResults));
      microseconds.push_back(SecondsSince(begin) * 1e6);
      cpu_microseconds.push_back((CpuSeconds() - cpu_begin) * 1e6);
      if (i >= checked) continue;
      for (const ScoredId& scored : exact[static_cast<size_t>(i)]) {
        found += std::count(results.begin(), results.end(), scored);
      }
    }
    const Percentiles latency(microseconds), cpu(cpu_microseconds);
    table.AddRow({Cell(count), Cell(int64_t{dimensions}), Cell(int64_t{candidates}),
                  Cell(latency.At(50), 0), Cell(latency.At(99), 0), Cell(cpu.At(50), 0),
                  Cell(cpu.At(99), 0), Cell(static_cast<double>(found) / (checked * kResults), 4)});
  }
  return absl::OkStatus();
}

absl::Status MeasureSynthetic(const std::filesystem::path& dir) {
  const int64_t count = absl::GetFlag(FLAGS_synthetic);
  const int dimensions = absl::GetFlag(FLAGS_dimensions);
  const bool texts = absl::GetFlag(FLAGS_synthetic_kind) == "texts";
  const ClusteredVectors clusters(texts ? 1 : count, dimensions);
  const SyntheticTexts writer(count);
  std::unique_ptr<Embedder> embedder;
  if (texts) {
    M3_ASSIGN_OR_RETURN(embedder,
                        BuildEmbedder({.lexical_dimensions = dimensions}, count,
                                      [&writer](int64_t i) { return writer.Reference(i); }));
  }
  const auto make = [&](int64_t i, absl::Span<float> out) {
    if (texts) return embedder->Embed({writer.Reference(i)}, out);
    clusters.Make(i, out);
    return absl::OkStatus();
  };
  const auto make_query = [&](int64_t i, absl::Span<float> out) {
    if (texts) return embedder->Embed({writer.Query(i * 7919 % count)}, out);
    clusters.Make(-1 - i, out);
    return absl::OkStatus();
  };
  M3_RETURN_IF_ERROR(BuildSynthetic(count, dimensions, dir, make));
  const Clock::time_point begin = Clock::now();
  M3_ASSIGN_OR_RETURN(VectorsReader vectors, VectorsReader::Open(dir / kVectorsFile));
  M3_ASSIGN_OR_RETURN(const std::unique_ptr<Graph> graph,
                      Graph::Load(dir / kGraphFile, vectors, kSearchCandidates[0]));
  std::printf("loaded and checked in %.1f s\n\n", SecondsSince(begin));
  Table table({"references", "dimensions", "ef", "p50 µs", "p99 µs", "p50 CPU µs", "p99 CPU µs",
               "recall@5 against exact"});
  M3_RETURN_IF_ERROR(SearchSynthetic(*graph, count, make_query, table));
  std::cout << table.ToMarkdown() << std::endl;
  return absl::OkStatus();
}

absl::Status Run(const std::filesystem::path& dir) {
  std::vector<QaSet> sets;
  if (const std::string questions = absl::GetFlag(FLAGS_hotpot_questions); !questions.empty()) {
    M3_ASSIGN_OR_RETURN(QaSet set, LoadHotpot(questions, absl::GetFlag(FLAGS_hotpot_corpus)));
    sets.push_back(std::move(set));
  }
  for (const std::string& file : absl::GetFlag(FLAGS_squad)) {
    M3_ASSIGN_OR_RETURN(QaSet set, LoadSquad(file));
    sets.push_back(std::move(set));
  }
  if (const std::string world = absl::GetFlag(FLAGS_world); !world.empty()) {
    M3_ASSIGN_OR_RETURN(QaSet set, LoadWorld(world));
    sets.push_back(std::move(set));
  }
  if (!sets.empty()) {
    Table table({"set", "passages", "method", "recall@5", "CPU µs"});
    for (const QaSet& set : sets) M3_RETURN_IF_ERROR(MeasureRecall(set, dir, table));
    std::cout << table.ToMarkdown() << std::endl;
  }
  return absl::GetFlag(FLAGS_synthetic) > 0 ? MeasureSynthetic(dir) : absl::OkStatus();
}

int Main() {
  std::filesystem::path dir = absl::GetFlag(FLAGS_work_dir);
  const bool temporary = dir.empty();
  if (temporary) {
    dir = std::filesystem::temp_directory_path() / absl::StrCat("retrieval_bench-", getpid());
  }
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  const absl::Status status = Run(dir);
  if (temporary) std::filesystem::remove_all(dir, error);
  if (status.ok()) return 0;
  std::fprintf(stderr, "retrieval_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {memory3::kUsage, {"bench/retrieval_bench.cc"}})) {
    return 0;
  }
  absl::ParseCommandLine(argc, argv);
  return memory3::Main();
}
