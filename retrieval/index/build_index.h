// Writes the index of a bank: embedder, vectors and, for all but small banks, a search graph.
//
//   M3_RETURN_IF_ERROR(BuildRetrievalIndex(
//       options, bank.count(), [&](int64_t i) { return bank.Text(i); }, dir / "index"));
//   M3_ASSIGN_OR_RETURN(auto index, RetrievalIndex::Open(dir / "index", {}));
#ifndef MEMORY3_RETRIEVAL_INDEX_BUILD_INDEX_H_
#define MEMORY3_RETRIEVAL_INDEX_BUILD_INDEX_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "retrieval/embed/embedder_factory.h"
#include "retrieval/index/graph_parameters.h"

namespace memory3 {

// Below this many references a bank gets no graph: searching every vector takes less than a
// millisecond, and is exact.
inline constexpr int64_t kExactSearchCount = 4096;
inline constexpr int64_t kMaxIndexCount = int64_t{1} << 31;  // exclusive; the graph's ids are int

// The files in an index folder; a bank with fewer than exact_below references has no kGraphFile.
inline constexpr char kEmbedderFile[] = "embedder.bin";
inline constexpr char kVectorsFile[] = "vectors.bin";
inline constexpr char kGraphFile[] = "graph.bin";

struct IndexBuildOptions {
  EmbedderOptions embedder;
  GraphParameters graph;
  int64_t exact_below = kExactSearchCount;  // fewer references get no graph
  // Called now and then on the building thread: "learn", "embed" or "graph", and how far it is.
  std::function<void(std::string_view stage, int64_t done, int64_t total)> progress;
};

// References are numbered as `text_of` is asked for them, from 0; count may be 0. The same texts
// and options give the same bytes, whatever the machine or its cores: the graph is built by one
// thread, because hnswlib links in the order in which threads happen to run. `out_dir` is made if
// it does not exist, and what an earlier build left there replaced. Every file is synced.
absl::Status BuildRetrievalIndex(const IndexBuildOptions& options, int64_t count, TextOf text_of,
                                 const std::filesystem::path& out_dir);

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_BUILD_INDEX_H_
