#include "engine/memory/bank/bank.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/aligned_buffer.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/record_checksum.h"

namespace memory3 {
namespace {

constexpr absl::string_view kRecordPrefix = "records-";

bool IsRecordFile(const BankFile& file) { return absl::StartsWith(file.name, kRecordPrefix); }

// A file in the index folder that nobody vouches for would be taken for a part of the index.
absl::Status RefuseStrangers(const std::filesystem::path& index, const BankManifest& manifest) {
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(index, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = absl::StrCat(kIndexFolder, "/", entry->path().filename().string());
    if (std::any_of(manifest.files.begin(), manifest.files.end(),
                    [&](const BankFile& file) { return file.name == name; })) {
      continue;
    }
    return absl::DataLossError(
        absl::StrCat(entry->path().string(), ": is not in the bank's manifest"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Bank>> Bank::Open(const std::filesystem::path& dir) {
  std::shared_ptr<Bank> bank(new Bank());
  // Through a link the folder may be replaced while it is read; what it is now stays together.
  std::error_code error;
  bank->dir_ = std::filesystem::canonical(dir, error);
  if (error) {
    return absl::NotFoundError(absl::StrCat(dir.string(), ": no bank: ", error.message()));
  }
  const std::filesystem::path manifest = bank->dir_ / kManifestFile;
  M3_ASSIGN_OR_RETURN(const std::string text, ReadFile(manifest, kMaxManifestBytes));
  M3_ASSIGN_OR_RETURN(bank->manifest_, ParseManifest(text, manifest.string()));
  M3_RETURN_IF_ERROR(bank->CheckFiles());
  const std::filesystem::path table = bank->dir_ / kRecordTableFile;
  M3_ASSIGN_OR_RETURN(const std::string entries,
                      ReadFile(table, std::numeric_limits<int64_t>::max()));
  if (entries.size() != static_cast<size_t>(bank->count()) * kRecordEntryBytes) {
    return absl::DataLossError(absl::StrCat(table.string(), ": has ", entries.size(), " bytes for ",
                                            bank->count(), " records"));
  }
  bank->table_ = ParseRecordTable(entries);
  for (const RecordEntry& entry : bank->table_) {
    if (entry.tokens <= static_cast<uint32_t>(bank->manifest_.shape.kept_tokens)) continue;
    return absl::DataLossError(absl::StrCat(table.string(), ": a record of ", entry.tokens,
                                            " tokens, at most ", bank->manifest_.shape.kept_tokens,
                                            " are kept"));
  }
  M3_ASSIGN_OR_RETURN(bank->texts_, TextsFile::Open(bank->dir_, bank->count()));
  M3_RETURN_IF_ERROR(bank->OpenRecordFiles());
  return bank;
}

absl::Status Bank::CheckFiles() const {
  bool has_table = false, has_texts = false, has_offsets = false;
  for (const BankFile& file : manifest_.files) {
    const std::filesystem::path path = dir_ / file.name;
    std::error_code error;
    const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
    if (error) return absl::DataLossError(absl::StrCat(path.string(), ": ", error.message()));
    if (bytes != file.bytes) {
      return absl::DataLossError(
          absl::StrCat(path.string(), ": has ", bytes, " bytes, the manifest says ", file.bytes));
    }
    has_table |= file.name == kRecordTableFile;
    has_texts |= file.name == kTextsFile;
    has_offsets |= file.name == kTextOffsetsFile;
    if (IsRecordFile(file)) continue;
    M3_ASSIGN_OR_RETURN(const FileDigest digest, DigestFile(path));
    if (digest.checksum != file.checksum) {
      return absl::DataLossError(absl::StrCat(path.string(), ": its checksum is wrong"));
    }
  }
  if (has_table && has_texts && has_offsets) return RefuseStrangers(index_dir(), manifest_);
  return absl::DataLossError(
      absl::StrCat((dir_ / kManifestFile).string(), ": does not list table, texts and offsets"));
}

absl::Status Bank::OpenRecordFiles() {
  // A bank has either all its memories or none.
  const auto cold = std::count_if(table_.begin(), table_.end(),
                                  [](const RecordEntry& entry) { return entry.tokens == 0; });
  if (cold == count()) return absl::OkStatus();
  if (cold != 0) {
    return absl::DataLossError(absl::StrCat((dir_ / kRecordTableFile).string(), ": ", cold, " of ",
                                            count(), " references have no memory"));
  }
  const int64_t per_file = manifest_.records_per_file;
  const int64_t files = (count() + per_file - 1) / per_file;
  for (int64_t i = 0; i < files; ++i) {
    const std::string name = RecordFileName(i);
    const int64_t records = std::min(per_file, count() - i * per_file);
    const auto listed = std::find_if(manifest_.files.begin(), manifest_.files.end(),
                                     [&](const BankFile& file) { return file.name == name; });
    if (listed == manifest_.files.end() || listed->bytes != records * manifest_.record_bytes) {
      return absl::DataLossError(absl::StrCat((dir_ / kManifestFile).string(), ": ", name,
                                              " must be listed with ", records, " records"));
    }
    M3_ASSIGN_OR_RETURN(record_files_.emplace_back(), RecordFile::Open(dir_ / name, true));
  }
  return absl::OkStatus();
}

absl::StatusOr<RecordPlace> Bank::Place(MemoryId id) const {
  if (id >= static_cast<uint64_t>(count())) {
    return absl::NotFoundError(absl::StrCat("the bank has no reference ", id));
  }
  const RecordEntry& entry = table_[id];
  if (entry.tokens == 0) {
    return absl::FailedPreconditionError(absl::StrCat("reference ", id, " has no memory yet"));
  }
  const auto index = static_cast<int64_t>(id);
  return RecordPlace{.file = record_files_[index / manifest_.records_per_file],
                     .offset = index % manifest_.records_per_file * manifest_.record_bytes,
                     .tokens = static_cast<int>(entry.tokens),
                     .checksum = entry.checksum};
}

absl::StatusOr<ReferenceText> Bank::Text(MemoryId id) const {
  if (id >= static_cast<uint64_t>(count())) {
    return absl::NotFoundError(absl::StrCat("the bank has no reference ", id));
  }
  return texts_->Read(static_cast<int64_t>(id));
}

absl::StatusOr<std::optional<MemoryId>> Bank::Find(std::string_view text) const {
  MutexLock lock(lookup_mutex_);
  if (!lookup_.has_value()) {
    M3_ASSIGN_OR_RETURN(lookup_, TextLookup::Create(*texts_));
  }
  M3_ASSIGN_OR_RETURN(const std::optional<int64_t> id, lookup_->Find(text));
  if (!id.has_value()) return std::nullopt;
  return static_cast<MemoryId>(*id);
}

absl::Status Bank::Verify() const {
  M3_RETURN_IF_ERROR(CheckFiles());
  AlignedBuffer record(manifest_.record_bytes);
  const absl::Span<uint8_t> bytes = {record.data(), record.size()};
  for (MemoryId id = 0; id < static_cast<uint64_t>(count()); ++id) {
    M3_RETURN_IF_ERROR(Text(id).status());
    const RecordEntry& entry = table_[id];
    if (entry.tokens == 0) continue;
    const auto file = record_files_[id / manifest_.records_per_file];
    const int64_t offset =
        static_cast<int64_t>(id) % manifest_.records_per_file * manifest_.record_bytes;
    M3_RETURN_IF_ERROR(ReadExactly(*file, offset, bytes));
    if (RecordChecksum(id, static_cast<int>(entry.tokens), bytes) == entry.checksum) continue;
    return absl::DataLossError(
        absl::StrCat(file->path().string(), ": the checksum of record ", id, " is wrong"));
  }
  return absl::OkStatus();
}

absl::Status CheckBankFitsModel(const BankManifest& manifest, std::string_view model_fingerprint,
                                const MemoryShape& model_shape) {
  if (manifest.shape != model_shape) {
    return absl::FailedPreconditionError(absl::StrCat("the bank's memories have ",
                                                      Describe(manifest.shape), "; the model's ",
                                                      Describe(model_shape)));
  }
  if (manifest.model_fingerprint != model_fingerprint) {
    return absl::FailedPreconditionError(
        absl::StrCat("the bank was encoded by the model with fingerprint ",
                     manifest.model_fingerprint, "; this model's is ", AbslView(model_fingerprint),
                     ": build the bank again with memory3-bank build"));
  }
  return absl::OkStatus();
}

}  // namespace memory3
