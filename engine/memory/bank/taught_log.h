// References taught to a running server: added, given a memory, deleted; durable when a call
// returns. A folder beside the bank with two files that only grow:
//
//   LOG           one entry per line: JSON, a tab, the CRC32C of the JSON in 8 hexadecimal digits
//   records.bin   records as in a bank; an entry names its place, tokens and checksum
//
// The first line names the format and the model. A record is written and synced before its entry,
// an entry before the call returns. A last line that a crash left half-written was never promised
// to anyone: opening for writing cuts it off. Any other damage is DataLoss.
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
#include "engine/memory/bank/append_file.h"
#include "engine/memory/bank/manifest.h"
#include "engine/memory/bank/record_place.h"
#include "engine/memory/bank/reference_text.h"
#include "engine/memory/bank/taught_entry.h"
#include "engine/memory/memory_id.h"
#include "engine/model/memory_config.h"

namespace memory3 {

inline constexpr char kTaughtLogFile[] = "LOG";
inline constexpr char kTaughtRecordsFile[] = "records.bin";

// Follows a log that another process writes.
class TaughtLogReader {
 public:
  // The folder need not exist yet: then there are no entries.
  explicit TaughtLogReader(std::filesystem::path dir) : dir_(std::move(dir)) {}

  // Appends the whole entries that came since the last call, and reads no more than those. DataLoss
  // for damage, FailedPrecondition when another log has taken the place of the one followed.
  absl::Status Poll(std::vector<TaughtEntry>* entries);
  const std::string& model_fingerprint() const { return header_.model_fingerprint; }  // or empty
  // Banks that entries are about.
  const std::vector<TaughtBank>& banks() const { return banks_; }
  // Bytes and lines read so far.
  int64_t position() const { return position_; }
  int64_t lines() const { return lines_; }
  const TaughtHeader& header() const { return header_; }  // once lines() > 0

 private:
  // Takes the whole lines at the front of `text`, which is read from position_ on and ends with the
  // file if `to_end`.
  absl::Status Take(std::string_view text, bool to_end, std::vector<TaughtEntry>* entries);

  const std::filesystem::path dir_;
  uint64_t inode_ = 0;  // of the log followed
  TaughtHeader header_;
  std::vector<TaughtBank> banks_;
  int64_t position_ = 0;
  int64_t lines_ = 0;
};

// The one writer. Thread-safe. Bind, Add, Encode and Delete wait for the disk; the other calls
// never wait for them.
class TaughtLog {
 public:
  // Makes the folder if there is none. FailedPrecondition when it belongs to another model, and
  // when another process has it open for writing.
  static absl::StatusOr<std::unique_ptr<TaughtLog>> Open(const std::filesystem::path& dir,
                                                         std::string_view model_fingerprint,
                                                         const MemoryShape& shape);
  TaughtLog(const TaughtLog&) = delete;
  TaughtLog& operator=(const TaughtLog&) = delete;

  // Ids of a bank mean nothing without it: binds this bank to its epoch, for good. Encode and
  // Delete refuse, and Place and IsDeleted do not know, ids of an epoch whose bank was not bound by
  // this object. FailedPrecondition, saying both sides, when the log is about another bank of that
  // epoch.
  absl::Status Bind(const BankManifest& bank);

  // `tokens` and `record` as of MemoryTensor. InvalidArgument for a record of another size or a
  // text that is too long. Returns the new id, at least kFirstTaughtId.
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
  // The taught reference with exactly this text, whatever its title.
  std::optional<MemoryId> Find(std::string_view text) const;
  bool IsDeleted(const MemoryKey& key) const;
  int64_t taught() const;   // references that can be retrieved
  int64_t deleted() const;  // all there ever were
  uint64_t entries() const;

 private:
  struct Memory {
    int64_t record = 0;
    int tokens = 0;
    uint32_t checksum = 0;
  };

  TaughtLog(std::filesystem::path dir, std::string_view model_fingerprint,
            const MemoryShape& shape);
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status CheckHeader(const TaughtHeader& header) const;
  // What follows the last whole line, if a crash explains it.
  absl::Status CutTornTail(int64_t whole) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Record first, then the entry, then everybody may see it.
  absl::Status AppendWithRecord(TaughtEntry entry, absl::Span<const uint8_t> record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status AppendLine(const TaughtLine& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status CheckBound(const MemoryKey& key) const;
  void Apply(const TaughtEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  const std::filesystem::path dir_;
  const std::string model_fingerprint_;
  const MemoryShape shape_;
  std::shared_ptr<const RecordFile> record_file_;  // set by Open

  // Held while the disk is waited for; taken before mutex_.
  Mutex write_mutex_;
  std::optional<AppendFile> log_ ABSL_GUARDED_BY(write_mutex_);
  std::optional<AppendFile> record_log_ ABSL_GUARDED_BY(write_mutex_);
  int64_t lines_ ABSL_GUARDED_BY(write_mutex_) = 0;
  int64_t records_ ABSL_GUARDED_BY(write_mutex_) = 0;
  MemoryId next_id_ ABSL_GUARDED_BY(write_mutex_) = kFirstTaughtId;
  absl::flat_hash_map<uint64_t, uint64_t> banks_ ABSL_GUARDED_BY(write_mutex_);  // by epoch

  // Held for a look-up at most.
  mutable Mutex mutex_;
  uint64_t entries_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_set<uint64_t> bound_ ABSL_GUARDED_BY(mutex_);  // epochs
  absl::flat_hash_map<MemoryId, ReferenceText> texts_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, MemoryId> ids_ ABSL_GUARDED_BY(mutex_);  // by XXH3-64 of the text
  absl::flat_hash_map<MemoryKey, Memory> memories_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<MemoryKey> deleted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_TAUGHT_LOG_H_
