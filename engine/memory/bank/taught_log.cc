#include "engine/memory/bank/taught_log.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/bank/record_size.h"
#include "engine/memory/bank/texts_file.h"

namespace memory3 {
namespace {

// Taught ids are alike in every epoch.
MemoryKey Canonical(const MemoryKey& key) {
  return key.id >= kFirstTaughtId ? MemoryKey{.epoch = 0, .id = key.id} : key;
}

uint64_t TextHash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

absl::Status MakeFolder(const std::filesystem::path& dir) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(dir, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(dir.string(), ": cannot be made: ", error.message()));
  }
  if (!made) return absl::OkStatus();
  return SyncFolder(std::filesystem::absolute(dir / ".").parent_path().parent_path());
}

}  // namespace

TaughtLog::TaughtLog(std::filesystem::path dir, std::string_view model_fingerprint,
                     const MemoryShape& shape)
    : dir_(std::move(dir)), model_fingerprint_(model_fingerprint), shape_(shape) {}

absl::StatusOr<std::unique_ptr<TaughtLog>> TaughtLog::Open(const std::filesystem::path& dir,
                                                           std::string_view model_fingerprint,
                                                           const MemoryShape& shape) {
  std::unique_ptr<TaughtLog> log(new TaughtLog(dir, model_fingerprint, shape));
  M3_RETURN_IF_ERROR(MakeFolder(dir));
  MutexLock lock(log->write_mutex_);
  M3_RETURN_IF_ERROR(log->Load());
  return log;
}

absl::Status TaughtLog::CheckHeader(const TaughtHeader& header) const {
  const std::string path = (dir_ / kTaughtLogFile).string();
  if (header.model_fingerprint != model_fingerprint_) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": taught to the model with fingerprint ", header.model_fingerprint,
                     "; this model's is ", model_fingerprint_));
  }
  if (header.record_bytes != RecordBytes(shape_)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": has records of ",
                                                      header.record_bytes, " bytes; this model's ",
                                                      "have ", RecordBytes(shape_)));
  }
  return absl::OkStatus();
}

absl::Status TaughtLog::Load() {
  M3_ASSIGN_OR_RETURN(AppendFile log, AppendFile::Open(dir_ / kTaughtLogFile));
  M3_ASSIGN_OR_RETURN(AppendFile records, AppendFile::Open(dir_ / kTaughtRecordsFile));
  log_.emplace(std::move(log));
  record_log_.emplace(std::move(records));
  TaughtLogReader reader(dir_);
  std::vector<TaughtEntry> entries;
  M3_RETURN_IF_ERROR(reader.Poll(&entries));
  M3_RETURN_IF_ERROR(CutTornTail(reader.position()));
  lines_ = reader.lines();
  if (lines_ == 0) {
    M3_RETURN_IF_ERROR(AppendLine(TaughtHeader{model_fingerprint_, RecordBytes(shape_)}));
    M3_RETURN_IF_ERROR(SyncFolder(dir_));
  } else {
    M3_RETURN_IF_ERROR(CheckHeader(reader.header()));
  }
  for (const TaughtBank& bank : reader.banks()) banks_[bank.epoch] = bank.identity;
  for (const TaughtEntry& entry : entries) Apply(entry);
  const int64_t record_bytes = records_ * RecordBytes(shape_);
  if (record_log_->bytes() < record_bytes) {
    return absl::DataLossError(absl::StrCat(record_log_->path().string(), ": has ",
                                            record_log_->bytes(), " bytes, the log names ",
                                            record_bytes));
  }
  // Records whose entry was never written.
  if (record_log_->bytes() > record_bytes) M3_RETURN_IF_ERROR(record_log_->Cut(record_bytes));
  M3_ASSIGN_OR_RETURN(record_file_, RecordFile::Open(dir_ / kTaughtRecordsFile, /*direct=*/true));
  return absl::OkStatus();
}

absl::Status TaughtLog::CutTornTail(int64_t whole) {
  if (log_->bytes() == whole) return absl::OkStatus();
  M3_ASSIGN_OR_RETURN(const std::string tail, log_->Read(whole, log_->bytes() - whole));
  if (!IsTornTail(tail)) {
    return absl::DataLossError(
        absl::StrCat(log_->path().string(), ": the entry at byte ", whole,
                     " is damaged; restore the file, or cut it there to go on without that entry"));
  }
  return log_->Cut(whole);
}

void TaughtLog::Apply(const TaughtEntry& entry) {
  if (entry.kind == TaughtEntry::Kind::kAdd) next_id_ = std::max(next_id_, entry.key.id + 1);
  records_ = std::max(records_, entry.record + 1);
  MutexLock lock(mutex_);
  ++entries_;
  if (entry.kind == TaughtEntry::Kind::kDelete) {
    deleted_.insert(entry.key);
    if (const auto text = texts_.find(entry.key.id); text != texts_.end()) {
      const auto id = ids_.find(TextHash(text->second.text));
      if (id != ids_.end() && id->second == entry.key.id) ids_.erase(id);
      texts_.erase(text);
    }
    memories_.erase(entry.key);
    return;
  }
  if (entry.kind == TaughtEntry::Kind::kAdd) {
    texts_[entry.key.id] = entry.reference;
    ids_[TextHash(entry.reference.text)] = entry.key.id;
  }
  memories_[entry.key] = {entry.record, entry.tokens, entry.checksum};
}

absl::Status TaughtLog::AppendLine(const TaughtLine& line) {
  const std::string text = FormatTaughtLine(line, lines_);
  if (static_cast<int64_t>(text.size()) > kMaxTextLineBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the reference makes an entry of ", text.size(),
                                                   " bytes, at most ", kMaxTextLineBytes, " fit"));
  }
  M3_RETURN_IF_ERROR(log_->AppendDurably(text));
  ++lines_;
  return absl::OkStatus();
}

absl::Status TaughtLog::AppendWithRecord(TaughtEntry entry, absl::Span<const uint8_t> record) {
  const int64_t record_bytes = RecordBytes(shape_);
  if (static_cast<int64_t>(record.size()) != record_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a record of ", record.size(), " bytes, ", record_bytes, " expected"));
  }
  if (entry.tokens < 1 || entry.tokens > shape_.kept_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("a memory of ", entry.tokens, " tokens, 1 to ",
                                                   shape_.kept_tokens, " expected"));
  }
  // An earlier record whose entry failed is written over.
  if (record_log_->bytes() != records_ * record_bytes) {
    M3_RETURN_IF_ERROR(record_log_->Cut(records_ * record_bytes));
  }
  M3_RETURN_IF_ERROR(
      record_log_->AppendDurably({reinterpret_cast<const char*>(record.data()), record.size()}));
  entry.record = records_;
  entry.checksum = RecordChecksum(entry.key.id, entry.tokens, record);
  M3_RETURN_IF_ERROR(AppendLine(entry));
  Apply(entry);
  return absl::OkStatus();
}

absl::Status TaughtLog::Bind(const BankManifest& bank) {
  MutexLock writing(write_mutex_);
  const uint64_t identity = BankIdentity(bank);
  if (const auto found = banks_.find(bank.epoch); found == banks_.end()) {
    M3_RETURN_IF_ERROR(AppendLine(TaughtBank{bank.epoch, identity}));
    banks_[bank.epoch] = identity;
  } else if (found->second != identity) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s: knows another bank of epoch %d: its MANIFEST's XXH3-64 is %016x, this one's %016x; "
        "build the new bank with a larger epoch",
        dir_.string(), bank.epoch, found->second, identity));
  }
  MutexLock lock(mutex_);
  bound_.insert(bank.epoch);
  return absl::OkStatus();
}

absl::Status TaughtLog::CheckBound(const MemoryKey& key) const {
  MutexLock lock(mutex_);
  if (key.id >= kFirstTaughtId || bound_.contains(key.epoch)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(dir_.string(), ": no bank of epoch ", key.epoch, " is bound to it"));
}

absl::StatusOr<MemoryId> TaughtLog::Add(const ReferenceText& reference, int tokens,
                                        absl::Span<const uint8_t> record) {
  MutexLock writing(write_mutex_);
  TaughtEntry entry = {.kind = TaughtEntry::Kind::kAdd,
                       .key = {.epoch = 0, .id = next_id_},
                       .reference = reference,
                       .tokens = tokens};
  const MemoryId id = entry.key.id;
  M3_RETURN_IF_ERROR(AppendWithRecord(std::move(entry), record));
  return id;
}

absl::Status TaughtLog::Encode(const MemoryKey& key, int tokens, absl::Span<const uint8_t> record) {
  if (key.id >= kFirstTaughtId) {
    return absl::InvalidArgumentError(absl::StrCat(key.id, " is no reference of a bank"));
  }
  M3_RETURN_IF_ERROR(CheckBound(key));
  MutexLock writing(write_mutex_);
  return AppendWithRecord({.kind = TaughtEntry::Kind::kEncode, .key = key, .tokens = tokens},
                          record);
}

absl::Status TaughtLog::Delete(const MemoryKey& asked) {
  const MemoryKey key = Canonical(asked);
  M3_RETURN_IF_ERROR(CheckBound(key));
  MutexLock writing(write_mutex_);
  if (key.id >= kFirstTaughtId) M3_RETURN_IF_ERROR(Text(key.id).status());
  if (IsDeleted(key)) {
    return absl::NotFoundError(absl::StrCat("reference ", key.id, " was deleted before"));
  }
  const TaughtEntry entry = {.kind = TaughtEntry::Kind::kDelete, .key = key};
  M3_RETURN_IF_ERROR(AppendLine(entry));
  Apply(entry);
  return absl::OkStatus();
}

absl::StatusOr<RecordPlace> TaughtLog::Place(const MemoryKey& asked) const {
  const MemoryKey key = Canonical(asked);
  M3_RETURN_IF_ERROR(CheckBound(key));
  MutexLock lock(mutex_);
  const auto found = memories_.find(key);
  if (found == memories_.end()) {
    return absl::NotFoundError(absl::StrCat("no memory was taught as ", key.id));
  }
  const Memory& memory = found->second;
  return RecordPlace{record_file_, memory.record * RecordBytes(shape_), memory.tokens,
                     memory.checksum};
}

absl::StatusOr<ReferenceText> TaughtLog::Text(MemoryId id) const {
  MutexLock lock(mutex_);
  const auto found = texts_.find(id);
  if (found != texts_.end()) return found->second;
  return absl::NotFoundError(absl::StrCat("there is no taught reference ", id));
}

std::optional<MemoryId> TaughtLog::Find(std::string_view text) const {
  MutexLock lock(mutex_);
  const auto id = ids_.find(TextHash(text));
  if (id == ids_.end() || texts_.at(id->second).text != text) return std::nullopt;
  return id->second;
}

bool TaughtLog::IsDeleted(const MemoryKey& asked) const {
  const MemoryKey key = Canonical(asked);
  MutexLock lock(mutex_);
  return deleted_.contains(key) && (key.id >= kFirstTaughtId || bound_.contains(key.epoch));
}

int64_t TaughtLog::taught() const {
  MutexLock lock(mutex_);
  return static_cast<int64_t>(texts_.size());
}

int64_t TaughtLog::deleted() const {
  MutexLock lock(mutex_);
  return static_cast<int64_t>(deleted_.size());
}

uint64_t TaughtLog::entries() const {
  MutexLock lock(mutex_);
  return entries_;
}

}  // namespace memory3
