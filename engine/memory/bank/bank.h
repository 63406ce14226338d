// A published bank, opened: immutable references, their memories on disk and their texts.
//
//   M3_ASSIGN_OR_RETURN(std::shared_ptr<const Bank> bank, Bank::Open(dir));
//   M3_ASSIGN_OR_RETURN(ReferenceText reference, bank->Text(17));
//
// Open compares every file but the records with its checksum; a record's is compared with every
// load (RecordChecksum). The index folder is checked by whoever opens it (retrieval/index).
#ifndef MEMORY3_ENGINE_MEMORY_BANK_BANK_H_
#define MEMORY3_ENGINE_MEMORY_BANK_BANK_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/mutex.h"
#include "engine/memory/bank/manifest.h"
#include "engine/memory/bank/record_place.h"
#include "engine/memory/bank/record_table.h"
#include "engine/memory/bank/reference_text.h"
#include "engine/memory/bank/text_lookup.h"
#include "engine/memory/bank/texts_file.h"
#include "engine/memory/memory_id.h"

namespace memory3 {

// Thread-safe. Files stay readable after the folder was replaced or removed.
class Bank {
 public:
  // NotFound when there is no MANIFEST, DataLoss naming the file that is damaged, Unimplemented for
  // another format version.
  static absl::StatusOr<std::shared_ptr<const Bank>> Open(const std::filesystem::path& dir);
  Bank(const Bank&) = delete;
  Bank& operator=(const Bank&) = delete;

  const BankManifest& manifest() const { return manifest_; }
  int64_t count() const { return manifest_.count; }
  const std::filesystem::path& dir() const { return dir_; }
  std::filesystem::path index_dir() const { return dir_ / kIndexFolder; }

  // No I/O. NotFound without such an id, FailedPrecondition for a reference that has a text only.
  absl::StatusOr<RecordPlace> Place(MemoryId id) const;
  // Reads the texts file. NotFound without such an id.
  absl::StatusOr<ReferenceText> Text(MemoryId id) const;
  // The reference with exactly this text, whatever its title. The first call reads all texts: some
  // seconds for a million.
  absl::StatusOr<std::optional<MemoryId>> Find(std::string_view text) const;

  // Reads and checks every record, and the checksums of Open again; the first fault. For
  // memory3-bank verify: takes as long as reading the bank.
  absl::Status Verify() const;

 private:
  Bank() = default;
  absl::Status CheckFiles() const;
  absl::Status OpenRecordFiles();

  std::filesystem::path dir_;
  BankManifest manifest_;
  RecordTable table_;
  std::unique_ptr<const TextsFile> texts_;
  std::vector<std::shared_ptr<const RecordFile>> record_files_;

  mutable Mutex lookup_mutex_;
  mutable std::optional<TextLookup> lookup_ ABSL_GUARDED_BY(lookup_mutex_);  // once asked for
};

// FailedPrecondition, saying both sides, when memories of the bank are not the model's.
absl::Status CheckBankFitsModel(const BankManifest& manifest, std::string_view model_fingerprint,
                                const MemoryShape& model_shape);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_BANK_H_
