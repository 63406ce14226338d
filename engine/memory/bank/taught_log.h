// References taught to a running server: added, given a memory, deleted; durable when a call
// returns. A folder beside the bank with two files that only grow:
//
//   LOG           one entry per line: JSON, a tab, the CRC32C of the JSON in 8 hexadecimal digits
//   records.bin   records as in a bank; an entry names its place, tokens and checksum
//
// The first line names the format and the model. A record is written and synced before its entry,
// an entry before the call returns. A last line that is not whole, or fails its checksum, was never
// promised to anyone: opening for writing cuts it off. A damaged line before the last is DataLoss.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_TAUGHT_LOG_H_
#define MEMORY3_ENGINE_MEMORY_BANK_TAUGHT_LOG_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/base/mutex.h"
#include "engine/memory/bank/record_place.h"
#include "engine/memory/bank/reference_text.h"
#include "engine/memory/memory_id.h"
#include "engine/model/memory_config.h"

namespace memory3 {

inline constexpr char kTaughtLogFile[] = "LOG";
inline constexpr char kTaughtRecordsFile[] = "records.bin";

struct TaughtEntry {
  enum class Kind { kAdd, kEncode, kDelete };
  Kind kind = Kind::kAdd;
  MemoryKey key;            // kAdd: epoch 0, for taught references outlive banks
  ReferenceText reference;  // kAdd
  // kAdd, and kEncode: the first memory of a bank's reference that had a text only.
  int64_t record = -1;
  int tokens = 0;
  uint32_t checksum = 0;
};

// Follows a log that another process writes.
class TaughtLogReader {
 public:
  // The folder need not exist yet: then there are no entries.
  explicit TaughtLogReader(std::filesystem::path dir) : dir_(std::move(dir)) {}

  // Appends the whole entries that came since the last call. DataLoss for a damaged line that is
  // not the last one, FailedPrecondition when the log is another model's than at the first call.
  absl::Status Poll(std::vector<TaughtEntry>* entries);
  const std::string& model_fingerprint() const { return model_fingerprint_; }  // empty: none yet
  // Bytes of whole lines read so far.
  int64_t position() const { return position_; }

 private:
  absl::Status ParseHeader(std::string_view line);

  const std::filesystem::path dir_;
  std::string model_fingerprint_;
  int64_t position_ = 0;
  bool has_header_ = false;
};

// The one writer. Thread-safe; Add, Encode and Delete wait for the disk.
class TaughtLog {
 public:
  // Makes the folder if there is none. FailedPrecondition when it belongs to another model, and
  // when another process has it open for writing.
  static absl::StatusOr<std::unique_ptr<TaughtLog>> Open(const std::filesystem::path& dir,
                                                         std::string_view model_fingerprint,
                                                         const MemoryShape& shape);
  ~TaughtLog();
  TaughtLog(const TaughtLog&) = delete;
  TaughtLog& operator=(const TaughtLog&) = delete;

  // `record`: RecordBytes of the tensor. Returns the new id, at least kFirstTaughtId.
  absl::StatusOr<MemoryId> Add(const ReferenceText& reference, int tokens,
                               absl::Span<const uint8_t> record);
  // The memory of a bank's reference that had none.
  absl::Status Encode(const MemoryKey& key, int tokens, absl::Span<const uint8_t> record);
  // A taught reference, or one of the bank of `key.epoch`. Whether the bank has it, the caller
  // knows.
  absl::Status Delete(const MemoryKey& key);

  // No I/O. NotFound for what is deleted or unknown.
  absl::StatusOr<RecordPlace> Place(const MemoryKey& key) const;
  absl::StatusOr<ReferenceText> Text(MemoryId id) const;  // of a taught reference
  bool IsDeleted(const MemoryKey& key) const;
  int64_t taught() const;   // references that can be retrieved
  int64_t deleted() const;  // all there ever were
  uint64_t entries() const;

 private:
  TaughtLog() = default;
  absl::Status Load();
  void Apply(const TaughtEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<int64_t> AppendRecord(absl::Span<const uint8_t> record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AppendEntry(const TaughtEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::filesystem::path dir_;
  std::string model_fingerprint_;
  MemoryShape shape_;
  mutable Mutex mutex_;
  int log_fd_ ABSL_GUARDED_BY(mutex_) = -1;
  int records_fd_ ABSL_GUARDED_BY(mutex_) = -1;
  int64_t log_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t records_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t entries_ ABSL_GUARDED_BY(mutex_) = 0;
  MemoryId next_id_ ABSL_GUARDED_BY(mutex_) = kFirstTaughtId;
  std::shared_ptr<const RecordFile> record_file_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<MemoryId, ReferenceText> texts_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<MemoryKey, TaughtEntry> memories_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<MemoryKey> deleted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_TAUGHT_LOG_H_
