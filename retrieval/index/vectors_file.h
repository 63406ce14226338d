// The file of a bank's vectors: a checked file (retrieval/base/checked_file.h) whose payload is
// u64 count, u32 dimensions, u32 zero, then count x dimensions floats.
#ifndef MEMORY3_RETRIEVAL_INDEX_VECTORS_FILE_H_
#define MEMORY3_RETRIEVAL_INDEX_VECTORS_FILE_H_

#include <cstdint>
#include <filesystem>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "retrieval/base/checked_file.h"

namespace memory3 {

class VectorsWriter {
 public:
  static absl::StatusOr<VectorsWriter> Create(const std::filesystem::path& file, int64_t count,
                                              int dimensions);
  // Any number of whole vectors; `count` in all.
  absl::Status Append(absl::Span<const float> vectors);
  // The checksum of the payload, by which a graph knows its vectors.
  absl::StatusOr<uint64_t> Finish();

 private:
  explicit VectorsWriter(CheckedFileWriter file) : file_(std::move(file)) {}
  CheckedFileWriter file_;
};

class VectorsReader {
 public:
  static absl::StatusOr<VectorsReader> Open(const std::filesystem::path& file);
  int64_t count() const { return count_; }
  int dimensions() const { return dimensions_; }
  uint64_t checksum() const { return file_.payload_checksum(); }

  // Reads vector i to place(i), which gives dimensions() floats, for each i in order. DataLoss when
  // a byte is damaged or a vector has a length other than 1 or 0.
  absl::Status ReadAll(absl::FunctionRef<float*(int64_t i)> place);

 private:
  explicit VectorsReader(CheckedFileReader file) : file_(std::move(file)) {}
  CheckedFileReader file_;
  int64_t count_ = 0;
  int dimensions_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_VECTORS_FILE_H_
