// The file of a search graph: a checked file (retrieval/base/checked_file.h) whose payload is
//
//   u32 count, u32 links (M), u32 build candidates, u32 entry node, u64 checksum of the vectors
//   count x u8: level of each node
//   for each node, for each level from 0 to its own: u16 n, then n x u32: the nodes it leads to
//
// A node has at most 2 M links on level 0 and M above it, all to nodes that reach that level too.
#ifndef MEMORY3_RETRIEVAL_INDEX_GRAPH_FILE_H_
#define MEMORY3_RETRIEVAL_INDEX_GRAPH_FILE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "retrieval/base/checked_file.h"

namespace memory3 {

// hnswlib draws levels whose frequency falls by a factor of M each; no bank has this many.
inline constexpr int kMaxGraphLevel = 40;

struct GraphHeader {
  uint32_t count = 0;
  uint32_t links = 0;
  uint32_t build_candidates = 0;
  uint32_t entry = 0;
  uint64_t vectors_checksum = 0;
};

// In the order of the format: header, every level, every list.
class GraphWriter {
 public:
  static absl::StatusOr<GraphWriter> Create(const std::filesystem::path& file,
                                            const GraphHeader& header);
  absl::Status AppendLevel(int level);
  absl::Status AppendLinks(absl::Span<const uint32_t> links);
  absl::Status Finish() { return file_.Finish(); }

 private:
  explicit GraphWriter(CheckedFileWriter file) : file_(std::move(file)) {}
  CheckedFileWriter file_;
};

// A graph that was read whole and checked: every count, level and link is in range.
class GraphFile {
 public:
  static absl::StatusOr<GraphFile> Read(const std::filesystem::path& file);

  const GraphHeader& header() const { return header_; }
  int LevelOf(uint32_t node) const { return static_cast<uint8_t>(levels()[node]); }
  using Visit = absl::FunctionRef<void(uint32_t node, int level, absl::Span<const uint32_t> links)>;
  void ForEachList(Visit visit) const;

 private:
  const char* levels() const;
  // nullptr when the graph is in order, else what is wrong with it.
  const char* CheckHeader(uint64_t file_bytes) const;
  const char* CheckLevels() const;
  const char* Walk(bool check, Visit visit) const;

  GraphHeader header_;
  std::vector<char> payload_;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_GRAPH_FILE_H_
