// Approximate nearest neighbours by walking a graph of the vectors: hnswlib behind our own file.
//
// hnswlib's reader trusts what it reads and writes past its buffers on a crafted file; ours checks
// every number before a node is made from it. hnswlib throws; nothing leaves this class.
#ifndef MEMORY3_RETRIEVAL_INDEX_GRAPH_H_
#define MEMORY3_RETRIEVAL_INDEX_GRAPH_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "retrieval/index/graph_parameters.h"
#include "retrieval/index/scored_id.h"
#include "retrieval/index/vector_table.h"
#include "retrieval/index/vectors_file.h"

namespace memory3 {

// Thread-safe while nothing is added.
class Graph {
 public:
  // Empty, with room for `capacity` vectors. InvalidArgument for parameters out of range,
  // ResourceExhausted when they do not fit into memory.
  static absl::StatusOr<std::unique_ptr<Graph>> Create(const GraphParameters& parameters,
                                                       int dimensions, int64_t capacity);
  // Vectors get their numbers in the order in which they are added.
  absl::Status Add(absl::Span<const float> vector);
  // Without the vectors, whose file has this checksum.
  absl::Status Save(const std::filesystem::path& file, uint64_t vectors_checksum) const;

  // DataLoss naming the file that is damaged, FailedPrecondition when the graph is of other
  // vectors. search_candidates: breadth of a search (ef).
  static absl::StatusOr<std::unique_ptr<Graph>> Load(const std::filesystem::path& file,
                                                     VectorsReader& vectors, int search_candidates);
  ~Graph();

  VectorTable vectors() const;
  void set_search_candidates(int candidates);  // not beside a search
  // The nearest of k or more, best first.
  absl::StatusOr<std::vector<ScoredId>> Search(absl::Span<const float> query, int k) const;

 private:
  class Impl;
  explicit Graph(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_GRAPH_H_
