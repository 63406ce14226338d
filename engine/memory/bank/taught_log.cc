#include "engine/memory/bank/taught_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/crc32c.h"
#include "engine/base/parse_json.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/bank/record_size.h"
#include "engine/memory/bank/texts_file.h"

namespace memory3 {
namespace {

constexpr int kLogVersion = 1;
constexpr int64_t kMaxLogBytes = int64_t{1} << 33;

std::string SealLine(const std::string& json) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(json.data());
  return absl::StrCat(json, "\t", absl::StrFormat("%08x", Crc32c({bytes, json.size()})), "\n");
}

// The JSON of a line without its newline, or an error when the checksum is wrong.
absl::StatusOr<std::string_view> OpenLine(std::string_view line) {
  const size_t tab = line.rfind('\t');
  if (tab != std::string_view::npos) {
    const std::string_view json = line.substr(0, tab);
    const auto* bytes = reinterpret_cast<const uint8_t*>(json.data());
    if (AbslView(line.substr(tab + 1)) == absl::StrFormat("%08x", Crc32c({bytes, json.size()}))) {
      return json;
    }
  }
  return absl::DataLossError("the checksum of a line is wrong");
}

std::string FormatEntry(const TaughtEntry& entry) {
  nlohmann::ordered_json json;
  switch (entry.kind) {
    case TaughtEntry::Kind::kAdd:
      json["add"] = entry.key.id;
      json["reference"] = nlohmann::ordered_json::parse(FormatReferenceText(entry.reference));
      break;
    case TaughtEntry::Kind::kEncode:
      json["encode"] = entry.key.id;
      break;
    case TaughtEntry::Kind::kDelete:
      json["delete"] = entry.key.id;
      break;
  }
  if (entry.key.epoch != 0) json["epoch"] = entry.key.epoch;
  if (entry.kind != TaughtEntry::Kind::kDelete) {
    json["record"] = entry.record;
    json["tokens"] = entry.tokens;
    json["crc32c"] = entry.checksum;
  }
  return json.dump();
}

// A non-negative number of the object up to `max`, or -1.
int64_t Number(const nlohmann::json& json, const char* key, int64_t max) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_integer()) return -1;
  const int64_t number = found->get<int64_t>();
  return number < 0 || number > max ? -1 : number;
}

absl::StatusOr<TaughtEntry> ParseEntry(std::string_view text, std::string_view source) {
  M3_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(AbslView(text), AbslView(source)));
  constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
  const auto damaged = [&](absl::string_view problem) {
    return absl::DataLossError(absl::StrCat(AbslView(source), ": ", problem));
  };
  if (!json.is_object()) return damaged("an entry is no object");
  TaughtEntry entry;
  const std::pair<const char*, TaughtEntry::Kind> kinds[] = {
      {"add", TaughtEntry::Kind::kAdd},
      {"encode", TaughtEntry::Kind::kEncode},
      {"delete", TaughtEntry::Kind::kDelete}};
  int64_t id = -1;
  for (const auto& [key, kind] : kinds) {
    if (!json.contains(key)) continue;
    entry.kind = kind;
    id = Number(json, key, kAny);
  }
  if (id < 0) return damaged("an entry neither adds, encodes nor deletes");
  entry.key.id = static_cast<MemoryId>(id);
  if (json.contains("epoch")) {
    const int64_t epoch = Number(json, "epoch", kAny);
    if (epoch < 0) return damaged("epoch must be a number");
    entry.key.epoch = static_cast<uint64_t>(epoch);
  }
  if (entry.kind == TaughtEntry::Kind::kAdd) {
    if (!json.contains("reference")) return damaged("an added reference is missing");
    M3_ASSIGN_OR_RETURN(entry.reference, ParseReferenceText(json.at("reference").dump(), source));
  }
  if (entry.kind != TaughtEntry::Kind::kDelete) {
    entry.record = Number(json, "record", kAny >> 33);
    const int64_t tokens = Number(json, "tokens", 1 << 20);
    const int64_t checksum = Number(json, "crc32c", std::numeric_limits<uint32_t>::max());
    if (entry.record < 0 || tokens < 1 || checksum < 0) return damaged("a record is not described");
    entry.tokens = static_cast<int>(tokens);
    entry.checksum = static_cast<uint32_t>(checksum);
  }
  return entry;
}

}  // namespace

absl::Status TaughtLogReader::ParseHeader(std::string_view line) {
  const std::string source = (dir_ / kTaughtLogFile).string();
  M3_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(AbslView(line), source));
  if (!json.is_object() || Number(json, "memory3_taught", 1 << 20) != kLogVersion ||
      !json.contains("model_fingerprint") || !json.at("model_fingerprint").is_string()) {
    return absl::DataLossError(
        absl::StrCat(source, ": is no log of taught references, version ", kLogVersion));
  }
  model_fingerprint_ = json.at("model_fingerprint").get<std::string>();
  has_header_ = true;
  return absl::OkStatus();
}

absl::Status TaughtLogReader::Poll(std::vector<TaughtEntry>* entries) {
  const std::filesystem::path path = dir_ / kTaughtLogFile;
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error || size <= position_) return absl::OkStatus();
  M3_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxLogBytes));
  std::string_view rest = text;
  if (static_cast<int64_t>(rest.size()) < position_) return absl::OkStatus();
  rest.remove_prefix(position_);
  for (size_t end; (end = rest.find('\n')) != std::string_view::npos;) {
    const std::string_view line = rest.substr(0, end);
    const bool last = end + 1 == rest.size();
    const absl::StatusOr<std::string_view> json = OpenLine(line);
    // The last line may be half of one that a crash cut short and that will be cut off.
    if (!json.ok() && last) return absl::OkStatus();
    if (!json.ok()) {
      return absl::DataLossError(
          absl::StrCat(path.string(), ": ", json.status().message(), " at byte ", position_));
    }
    if (!has_header_) {
      M3_RETURN_IF_ERROR(ParseHeader(*json));
    } else {
      M3_ASSIGN_OR_RETURN(entries->emplace_back(), ParseEntry(*json, path.string()));
    }
    position_ += static_cast<int64_t>(end) + 1;
    rest.remove_prefix(end + 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TaughtLog>> TaughtLog::Open(const std::filesystem::path& dir,
                                                           std::string_view model_fingerprint,
                                                           const MemoryShape& shape) {
  std::unique_ptr<TaughtLog> log(new TaughtLog());
  log->dir_ = dir;
  log->model_fingerprint_ = std::string(model_fingerprint);
  log->shape_ = shape;
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(dir.string(), ": cannot be made: ", error.message()));
  }
  M3_RETURN_IF_ERROR(log->Load());
  return log;
}

absl::Status TaughtLog::Load() {
  MutexLock lock(mutex_);
  const std::filesystem::path log = dir_ / kTaughtLogFile, records = dir_ / kTaughtRecordsFile;
  log_fd_ = open(log.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (log_fd_ < 0) return FileError(log, "cannot be opened");
  if (flock(log_fd_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(log.string(), ": another server has it open for writing"));
  }
  records_fd_ = open(records.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (records_fd_ < 0) return FileError(records, "cannot be opened");
  TaughtLogReader reader(dir_);
  std::vector<TaughtEntry> entries;
  M3_RETURN_IF_ERROR(reader.Poll(&entries));
  log_bytes_ = reader.position();
  if (ftruncate(log_fd_, log_bytes_) != 0) return FileError(log, "cannot be cut");
  if (lseek(log_fd_, log_bytes_, SEEK_SET) < 0) return FileError(log, "cannot be sought");
  if (log_bytes_ == 0) {
    const nlohmann::ordered_json header = {{"memory3_taught", kLogVersion},
                                           {"model_fingerprint", model_fingerprint_},
                                           {"record_bytes", RecordBytes(shape_)}};
    const std::string line = SealLine(header.dump());
    M3_RETURN_IF_ERROR(WriteAll(log_fd_, line, log));
    if (fsync(log_fd_) != 0) return FileError(log, "cannot be synced");
    M3_RETURN_IF_ERROR(SyncFolder(dir_));
    log_bytes_ = static_cast<int64_t>(line.size());
  } else if (reader.model_fingerprint() != model_fingerprint_) {
    return absl::FailedPreconditionError(
        absl::StrCat(log.string(), ": taught to the model with fingerprint ",
                     reader.model_fingerprint(), "; this model's is ", model_fingerprint_));
  }
  for (const TaughtEntry& entry : entries) Apply(entry);
  M3_ASSIGN_OR_RETURN(record_file_, RecordFile::Open(records, true));
  return absl::OkStatus();
}

TaughtLog::~TaughtLog() {
  MutexLock lock(mutex_);
  if (log_fd_ >= 0) close(log_fd_);
  if (records_fd_ >= 0) close(records_fd_);
}

void TaughtLog::Apply(const TaughtEntry& entry) {
  ++entries_;
  if (entry.kind == TaughtEntry::Kind::kDelete) {
    deleted_.insert(entry.key);
    texts_.erase(entry.key.id);
    memories_.erase(entry.key);
    return;
  }
  records_ = std::max(records_, entry.record + 1);
  if (entry.kind == TaughtEntry::Kind::kAdd) {
    next_id_ = std::max(next_id_, entry.key.id + 1);
    texts_[entry.key.id] = entry.reference;
  }
  TaughtEntry memory = entry;
  memory.reference = {};
  memories_[entry.key] = std::move(memory);
}

absl::StatusOr<int64_t> TaughtLog::AppendRecord(absl::Span<const uint8_t> record) {
  const std::filesystem::path path = dir_ / kTaughtRecordsFile;
  if (static_cast<int64_t>(record.size()) != RecordBytes(shape_)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a record of ", record.size(), " bytes, ", RecordBytes(shape_), " expected"));
  }
  // Over whatever a failed attempt may have left there.
  if (lseek(records_fd_, records_ * RecordBytes(shape_), SEEK_SET) < 0) {
    return FileError(path, "cannot be sought");
  }
  M3_RETURN_IF_ERROR(
      WriteAll(records_fd_, {reinterpret_cast<const char*>(record.data()), record.size()}, path));
  if (fdatasync(records_fd_) != 0) return FileError(path, "cannot be synced");
  return records_;
}

absl::Status TaughtLog::AppendEntry(const TaughtEntry& entry) {
  const std::filesystem::path path = dir_ / kTaughtLogFile;
  const std::string line = SealLine(FormatEntry(entry));
  absl::Status status = WriteAll(log_fd_, line, path);
  if (status.ok() && fdatasync(log_fd_) != 0) status = FileError(path, "cannot be synced");
  if (!status.ok()) {
    // Half a line must not stand before the next one.
    if (ftruncate(log_fd_, log_bytes_) == 0) lseek(log_fd_, log_bytes_, SEEK_SET);
    return status;
  }
  log_bytes_ += static_cast<int64_t>(line.size());
  Apply(entry);
  return absl::OkStatus();
}

absl::StatusOr<MemoryId> TaughtLog::Add(const ReferenceText& reference, int tokens,
                                        absl::Span<const uint8_t> record) {
  MutexLock lock(mutex_);
  TaughtEntry entry;
  entry.kind = TaughtEntry::Kind::kAdd;
  entry.key.id = next_id_;
  entry.reference = reference;
  entry.tokens = tokens;
  entry.checksum = RecordChecksum(entry.key.id, tokens, record);
  M3_ASSIGN_OR_RETURN(entry.record, AppendRecord(record));
  M3_RETURN_IF_ERROR(AppendEntry(entry));
  return entry.key.id;
}

absl::Status TaughtLog::Encode(const MemoryKey& key, int tokens, absl::Span<const uint8_t> record) {
  MutexLock lock(mutex_);
  TaughtEntry entry;
  entry.kind = TaughtEntry::Kind::kEncode;
  entry.key = key;
  entry.tokens = tokens;
  entry.checksum = RecordChecksum(key.id, tokens, record);
  M3_ASSIGN_OR_RETURN(entry.record, AppendRecord(record));
  return AppendEntry(entry);
}

absl::Status TaughtLog::Delete(const MemoryKey& asked) {
  MutexLock lock(mutex_);
  MemoryKey key = asked;
  if (key.id >= kFirstTaughtId) {
    key.epoch = 0;
    if (!texts_.contains(key.id)) {
      return absl::NotFoundError(absl::StrCat("there is no taught reference ", key.id));
    }
  }
  if (deleted_.contains(key)) {
    return absl::NotFoundError(absl::StrCat("reference ", key.id, " was deleted before"));
  }
  TaughtEntry entry;
  entry.kind = TaughtEntry::Kind::kDelete;
  entry.key = key;
  return AppendEntry(entry);
}

absl::StatusOr<RecordPlace> TaughtLog::Place(const MemoryKey& asked) const {
  MutexLock lock(mutex_);
  const MemoryKey key = {asked.id >= kFirstTaughtId ? 0 : asked.epoch, asked.id};
  const auto found = memories_.find(key);
  if (found == memories_.end()) {
    return absl::NotFoundError(absl::StrCat("no memory was taught as ", key.id));
  }
  const TaughtEntry& entry = found->second;
  return RecordPlace{record_file_, entry.record * RecordBytes(shape_), entry.tokens,
                     entry.checksum};
}

absl::StatusOr<ReferenceText> TaughtLog::Text(MemoryId id) const {
  MutexLock lock(mutex_);
  const auto found = texts_.find(id);
  if (found != texts_.end()) return found->second;
  return absl::NotFoundError(absl::StrCat("there is no taught reference ", id));
}

bool TaughtLog::IsDeleted(const MemoryKey& key) const {
  MutexLock lock(mutex_);
  return deleted_.contains(key);
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
