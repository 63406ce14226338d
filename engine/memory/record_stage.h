// The record files of a bank being built, one after the other. A file that was finished, and the
// part of the table that says so, outlive a kill; a later build checks and keeps them.
#ifndef MEMORY3_ENGINE_MEMORY_RECORD_STAGE_H_
#define MEMORY3_ENGINE_MEMORY_RECORD_STAGE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/memory/bank/manifest.h"
#include "engine/memory/bank/record_table.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {

// Large enough to be few, small enough that a killed build loses little.
inline constexpr int64_t kRecordFileBytes = int64_t{64} << 20;
// Every one is held open, twice, by who reads the bank: well below the usual limit of 1024.
inline constexpr int64_t kMaxRecordFiles = 128;
int64_t RecordsPerFile(int64_t count, int64_t record_bytes);

// Not thread-safe.
class RecordStage {
 public:
  // Encodes references [first, first + count); `memories` gets one each.
  using Encode = std::function<absl::Status(
      int64_t first, int64_t count, std::vector<std::shared_ptr<const MemoryTensor>>* memories)>;
  // `done` of the bank's references have records; `encoded` of those were encoded by this object.
  using Progress = std::function<void(int64_t done, int64_t encoded)>;

  // `manifest` says shape, count and records per file. Everything must outlive the stage.
  RecordStage(const std::filesystem::path& folder, const BankManifest& manifest,
              int64_t references_per_encode, const Encode& encode, const Progress& progress)
      : folder_(folder),
        manifest_(manifest),
        references_per_encode_(references_per_encode),
        encode_(encode),
        progress_(progress) {}

  // Writes what is missing and then the whole table.
  absl::Status Run();
  int64_t encoded() const { return encoded_; }

 private:
  absl::StatusOr<RecordTable> Finished(int64_t file) const;
  absl::StatusOr<RecordTable> FinishedTable(int64_t file) const;
  absl::StatusOr<RecordTable> EncodeFile(int64_t file);
  std::filesystem::path PartPath(int64_t file) const;
  int64_t FirstRecord(int64_t file) const { return file * manifest_.records_per_file; }
  int64_t RecordsIn(int64_t file) const;

  const std::filesystem::path& folder_;
  const BankManifest& manifest_;
  const int64_t references_per_encode_;
  const Encode& encode_;
  const Progress& progress_;
  int64_t encoded_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_RECORD_STAGE_H_
