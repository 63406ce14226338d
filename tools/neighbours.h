// Which references the retrieval service would find for each of many texts: what memory3-neighbours
// does.
#ifndef MEMORY3_TOOLS_NEIGHBOURS_H_
#define MEMORY3_TOOLS_NEIGHBOURS_H_

#include <cstddef>
#include <filesystem>

#include "absl/status/statusor.h"

namespace memory3 {

inline constexpr int kMaxNeighbours = 1000;

struct NeighboursOptions {
  std::filesystem::path references, queries, out;  // .jsonl
  int k = 5;                                       // in [1, kMaxNeighbours]
  int embedder_dimensions = 1024;                  // of the lexical embedder, as of the bank
  bool exact = false;                              // compare with every reference, however many
  int threads = 0;                                 // 0: one per core
};

struct NeighboursCounts {
  size_t references = 0;
  size_t queries = 0;
};

// Reads a text per line of `references` (as memory3-bank build does: text, and optionally title and
// id) and of `queries`; builds the index that a bank of these references has, in a temporary
// folder; writes for every query, in their order, a line {"id", "ids", "scores"}, best first. An id
// is the line's, or else its number from 0. InvalidArgument naming the flag, or file and line.
absl::StatusOr<NeighboursCounts> FindNeighbours(const NeighboursOptions& options);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_NEIGHBOURS_H_
