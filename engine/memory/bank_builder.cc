#include "engine/memory/bank_builder.h"

#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/bank/record_size.h"
#include "engine/memory/reference_source.h"
#include "engine/memory/reference_splitter.h"

namespace memory3 {
namespace {

// What this build is, so that another one does not go on with its files.
constexpr char kBuildFile[] = "BUILD";
// Large enough to be few, small enough that a killed build loses little.
constexpr int64_t kRecordFileBytes = int64_t{64} << 20;
constexpr int64_t kMaxRecordsPerFile = 4096;

using Hash128 = std::pair<uint64_t, uint64_t>;

Hash128 HashOf(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {hash.high64, hash.low64};
}

// Texts on their way to disk.
class TextsWriter {
 public:
  static absl::StatusOr<TextsWriter> Create(const std::filesystem::path& folder) {
    M3_ASSIGN_OR_RETURN(DurableFile file, DurableFile::Create(folder / kTextsFile));
    return TextsWriter(folder, std::move(file));
  }

  // False for a text that was there before.
  absl::StatusOr<bool> Add(const ReferenceText& reference) {
    if (!seen_.insert(HashOf(reference.text)).second) return false;
    const std::string line = FormatReferenceText(reference);
    if (static_cast<int64_t>(line.size()) + 1 > kMaxTextLineBytes) {
      return absl::InvalidArgumentError(absl::StrCat(reference.source, ": a reference of ",
                                                     line.size(), " bytes, at most ",
                                                     kMaxTextLineBytes, " fit"));
    }
    buffer_ += line;
    buffer_ += '\n';
    offsets_.push_back(offsets_.back() + line.size() + 1);
    digest_ = HashOf(absl::StrCat(absl::Hex(digest_.first), absl::Hex(digest_.second), line));
    if (buffer_.size() >= kBufferBytes) M3_RETURN_IF_ERROR(Flush());
    return true;
  }
  int64_t count() const { return static_cast<int64_t>(offsets_.size()) - 1; }
  std::string Digest() const {
    return absl::StrFormat("%016x%016x", digest_.first, digest_.second);
  }
  absl::Status Finish() {
    M3_RETURN_IF_ERROR(Flush());
    M3_RETURN_IF_ERROR(file_.Finish());
    return WriteFileDurably(folder_ / kTextOffsetsFile, FormatTextOffsets(offsets_));
  }

 private:
  static constexpr size_t kBufferBytes = size_t{1} << 20;

  TextsWriter(std::filesystem::path folder, DurableFile file)
      : folder_(std::move(folder)), file_(std::move(file)) {}
  absl::Status Flush() {
    M3_RETURN_IF_ERROR(file_.Append(buffer_));
    buffer_.clear();
    return absl::OkStatus();
  }

  const std::filesystem::path folder_;
  DurableFile file_;
  std::string buffer_;
  std::vector<uint64_t> offsets_ = {0};
  absl::flat_hash_set<Hash128> seen_;
  Hash128 digest_ = {0, 0};
};

std::string_view AsText(absl::Span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

BankBuilder::BankBuilder(const BankBuildOptions& options, const BankBuildHooks& hooks,
                         Runner& runner, const Tokenizer& tokenizer)
    : options_(options),
      hooks_(hooks),
      runner_(runner),
      tokenizer_(tokenizer),
      folder_(options.out.string() + ".partial") {}

absl::StatusOr<BankBuildResult> BankBuilder::Build() {
  if (std::filesystem::exists(options_.out)) {
    return absl::AlreadyExistsError(
        absl::StrCat(options_.out.string(), ": exists already; a bank is never overwritten"));
  }
  BankManifest& manifest = result_.manifest;
  manifest.epoch = options_.epoch;
  manifest.model_fingerprint = options_.model_fingerprint;
  manifest.shape = runner_.info().memory.shape;
  manifest.record_bytes = RecordBytes(manifest.shape);
  manifest.records_per_file =
      std::clamp<int64_t>(kRecordFileBytes / manifest.record_bytes, 1, kMaxRecordsPerFile);
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(folder_.string(), ": cannot be made: ", error.message()));
  }
  M3_RETURN_IF_ERROR(WriteTexts());
  M3_RETURN_IF_ERROR(WriteRecords());
  M3_RETURN_IF_ERROR(WriteIndex());
  M3_RETURN_IF_ERROR(Publish());
  return std::move(result_);
}

absl::Status BankBuilder::WriteTexts() {
  M3_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> files, ListInputs(options_.input));
  M3_ASSIGN_OR_RETURN(TextsWriter writer, TextsWriter::Create(folder_));
  const ReferenceSplitter splitter(tokenizer_, runner_.info().memory.reference_tokens);
  const bool is_folder = std::filesystem::is_directory(options_.input);
  for (size_t i = 0; i < files.size(); ++i) {
    // Relative, so that the bank does not depend on where its input lay.
    const std::filesystem::path name =
        is_folder ? files[i].lexically_relative(options_.input) : files[i].filename();
    M3_RETURN_IF_ERROR(ReadDocuments(files[i], name.string(), [&](Document document) {
      ++result_.documents;
      std::vector<SplitReference> references;
      splitter.Split(document.text, &references);
      for (SplitReference& reference : references) {
        M3_ASSIGN_OR_RETURN(const bool is_new,
                            writer.Add({std::move(reference.text), document.title, document.source,
                                        document.source_id, reference.tokens}));
        result_.duplicates += is_new ? 0 : 1;
      }
      return absl::OkStatus();
    }));
    Progress("read", static_cast<int64_t>(i) + 1, static_cast<int64_t>(files.size()));
  }
  result_.manifest.count = writer.count();
  const BankManifest& manifest = result_.manifest;
  M3_RETURN_IF_ERROR(ClaimFolder(
      absl::StrCat("bank format ", kBankFormatVersion, "\nepoch ", manifest.epoch, "\nmodel ",
                   manifest.model_fingerprint, "\nmemories ", Describe(manifest.shape), "\ntexts ",
                   writer.count(), " ", writer.Digest(), "\nindex ", options_.index_options,
                   "\ncold ", options_.cold ? "yes" : "no", "\n")));
  M3_RETURN_IF_ERROR(writer.Finish());
  M3_ASSIGN_OR_RETURN(texts_, TextsFile::Open(folder_, manifest.count));
  return absl::OkStatus();
}

absl::Status BankBuilder::ClaimFolder(const std::string& description) {
  const std::filesystem::path file = folder_ / kBuildFile;
  const absl::StatusOr<std::string> before = ReadFile(file, std::numeric_limits<int32_t>::max());
  if (before.ok() && *before == description) return absl::OkStatus();
  if (before.ok() && !options_.restart) {
    return absl::FailedPreconditionError(absl::StrCat(
        folder_.string(), ": an unfinished build of other texts, model or options is there:\n",
        *before, "This one is:\n", description,
        "Remove the folder, or pass --restart to throw it away."));
  }
  for (int64_t i = 0; std::filesystem::exists(PartPath(i)); ++i) {
    std::filesystem::remove(PartPath(i));
    std::filesystem::remove(folder_ / RecordFileName(i));
  }
  std::filesystem::remove(folder_ / kRecordTableFile);
  return WriteFileDurably(file, description);
}

std::filesystem::path BankBuilder::PartPath(int64_t file) const {
  return folder_ / absl::StrCat(RecordFileName(file), ".table");
}

int64_t BankBuilder::RecordsInFile(int64_t file) const {
  const BankManifest& manifest = result_.manifest;
  return std::min(manifest.records_per_file, manifest.count - file * manifest.records_per_file);
}

absl::Status BankBuilder::WriteRecords() {
  const BankManifest& manifest = result_.manifest;
  const int64_t files =
      (manifest.count + manifest.records_per_file - 1) / manifest.records_per_file;
  RecordTable table;
  table.reserve(manifest.count);
  for (int64_t file = 0; file < files; ++file) {
    absl::StatusOr<RecordTable> part = FinishedRecords(file);
    if (!part.ok()) {
      M3_ASSIGN_OR_RETURN(part, EncodeRecords(file));
      // The records first: a part says that its record file is whole.
      M3_RETURN_IF_ERROR(WriteFileDurably(PartPath(file), FormatRecordTable(*part)));
    }
    table.insert(table.end(), part->begin(), part->end());
    encoded_before_ += RecordsInFile(file);
    Progress("encode", encoded_before_, manifest.count);
  }
  return WriteFileDurably(folder_ / kRecordTableFile, FormatRecordTable(table));
}

absl::StatusOr<RecordTable> BankBuilder::FinishedRecords(int64_t file) const {
  const BankManifest& manifest = result_.manifest;
  const int64_t records = RecordsInFile(file);
  absl::StatusOr<std::string> part = ReadFile(PartPath(file), records * kRecordEntryBytes);
  if (!part.ok()) {
    // Killed between the last steps: the whole table stands for its parts.
    M3_ASSIGN_OR_RETURN(const std::string whole,
                        ReadFile(folder_ / kRecordTableFile, manifest.count * kRecordEntryBytes));
    const size_t first = file * manifest.records_per_file * kRecordEntryBytes;
    part = whole.substr(std::min(whole.size(), first), records * kRecordEntryBytes);
  }
  M3_ASSIGN_OR_RETURN(const std::string bytes,
                      ReadFile(folder_ / RecordFileName(file), records * manifest.record_bytes));
  RecordTable table = ParseRecordTable(*part);
  const absl::Status damaged = absl::DataLossError("is not whole");
  if (static_cast<int64_t>(table.size()) != records ||
      static_cast<int64_t>(bytes.size()) != records * manifest.record_bytes) {
    return damaged;
  }
  for (int64_t i = 0; i < records; ++i) {
    const absl::Span<const uint8_t> record = {
        reinterpret_cast<const uint8_t*>(bytes.data()) + i * manifest.record_bytes,
        static_cast<size_t>(manifest.record_bytes)};
    const MemoryId id = file * manifest.records_per_file + i;
    if (RecordChecksum(id, static_cast<int>(table[i].tokens), record) != table[i].checksum) {
      return damaged;
    }
  }
  return table;
}

absl::StatusOr<RecordTable> BankBuilder::EncodeRecords(int64_t file) {
  const BankManifest& manifest = result_.manifest;
  const int64_t first = file * manifest.records_per_file, records = RecordsInFile(file);
  M3_ASSIGN_OR_RETURN(DurableFile out, DurableFile::Create(folder_ / RecordFileName(file)));
  RecordTable table;
  const std::vector<uint8_t> empty(manifest.record_bytes, 0);
  const int64_t at_once = options_.cold ? 1 : runner_.info().memory.max_references_per_encode;
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  while (static_cast<int64_t>(table.size()) < records) {
    const auto done = static_cast<int64_t>(table.size());
    const int64_t count = std::min(at_once, records - done);
    std::vector<std::vector<int32_t>> ids;
    for (int64_t i = 0; i < count; ++i) {
      M3_ASSIGN_OR_RETURN(const ReferenceText reference, texts_->Read(first + done + i));
      ids.push_back(tokenizer_.Encode(
          reference.text, {.add_special_tokens = false, .parse_special_tokens = false}));
    }
    if (!options_.cold) {
      const std::vector<absl::Span<const int32_t>> views(ids.begin(), ids.end());
      M3_RETURN_IF_ERROR(runner_.EncodeReferences(views, &memories));
    }
    for (int64_t i = 0; i < count; ++i) {
      const int tokens = options_.cold ? 0 : memories[i]->tokens;
      const absl::Span<const uint8_t> record =
          options_.cold ? absl::MakeConstSpan(empty) : memories[i]->bytes;
      const MemoryId id = first + done + i;
      table.push_back({static_cast<uint32_t>(tokens), RecordChecksum(id, tokens, record)});
      M3_RETURN_IF_ERROR(out.Append(AsText(record)));
    }
    result_.encoded += count;
    Progress("encode", encoded_before_ + done + count, manifest.count);
  }
  M3_RETURN_IF_ERROR(out.Finish());
  return table;
}

absl::Status BankBuilder::WriteIndex() {
  Progress("index", 0, result_.manifest.count);
  M3_ASSIGN_OR_RETURN(result_.manifest.embedder,
                      hooks_.build_index(*texts_, folder_ / kIndexFolder));
  M3_RETURN_IF_ERROR(SyncFolder(folder_ / kIndexFolder));
  Progress("index", result_.manifest.count, result_.manifest.count);
  return absl::OkStatus();
}

absl::Status BankBuilder::ListFiles() {
  BankManifest& manifest = result_.manifest;
  std::vector<std::string> names = {kBuildFile, kRecordTableFile, kTextsFile, kTextOffsetsFile};
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / kIndexFolder, error)) {
    names.push_back(absl::StrCat(kIndexFolder, "/", entry.path().filename().string()));
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    M3_ASSIGN_OR_RETURN(const FileDigest digest, DigestFile(folder_ / name));
    manifest.files.push_back({name, digest.bytes, digest.checksum});
  }
  for (int64_t i = 0; i * manifest.records_per_file < manifest.count; ++i) {
    manifest.files.push_back({RecordFileName(i), RecordsInFile(i) * manifest.record_bytes, 0});
  }
  return absl::OkStatus();
}

absl::Status BankBuilder::Publish() {
  M3_RETURN_IF_ERROR(ListFiles());
  M3_RETURN_IF_ERROR(WriteFileDurably(folder_ / kManifestFile, FormatManifest(result_.manifest)));
  // Now the table stands for its parts.
  for (int64_t i = 0; std::filesystem::exists(PartPath(i)); ++i) {
    std::filesystem::remove(PartPath(i));
  }
  M3_RETURN_IF_ERROR(SyncFolder(folder_));
  std::error_code error;
  std::filesystem::rename(folder_, options_.out, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(options_.out.string(), ": cannot be published: ", error.message()));
  }
  return SyncFolder(std::filesystem::absolute(options_.out).parent_path());
}

void BankBuilder::Progress(std::string_view stage, int64_t done, int64_t total) const {
  if (hooks_.progress) hooks_.progress(stage, done, total);
}

}  // namespace memory3
