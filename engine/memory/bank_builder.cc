#include "engine/memory/bank_builder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/record_size.h"
#include "engine/memory/bank/record_table.h"
#include "engine/memory/record_stage.h"
#include "engine/memory/reference_source.h"
#include "engine/memory/reference_splitter.h"

namespace memory3 {
namespace {

namespace fs = std::filesystem;

// What this build is, so that another one does not go on with its files.
constexpr char kBuildFile[] = "BUILD";

absl::Status FolderError(const fs::path& path, const std::error_code& error) {
  return absl::UnavailableError(absl::StrCat(path.string(), ": ", error.message()));
}

// Everything in `folder`, in no order.
absl::StatusOr<std::vector<fs::path>> Entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    entries.push_back(entry->path());
  }
  if (error) return FolderError(folder, error);
  return entries;
}

absl::Status Remove(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? FolderError(path, error) : absl::OkStatus();
}

// What a build writes before it has claimed the folder.
bool IsUnclaimed(const fs::path& path) {
  const std::string name = path.filename().string();
  return name == absl::StrCat(kTextsFile, kTemporarySuffix) ||
         name == absl::StrCat(kBuildFile, kTemporarySuffix);
}

}  // namespace

BankBuilder::BankBuilder(const BankBuildOptions& options, const BankBuildHooks& hooks,
                         Runner& runner, const Tokenizer& tokenizer)
    : options_(options),
      hooks_(hooks),
      runner_(runner),
      tokenizer_(tokenizer),
      folder_(options.out.string() + ".partial") {}

BankBuilder::~BankBuilder() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

absl::StatusOr<BankBuildResult> BankBuilder::Build() {
  std::error_code error;
  if (fs::exists(fs::symlink_status(options_.out, error))) {
    return absl::AlreadyExistsError(
        absl::StrCat(options_.out.string(), ": exists already; a bank is never overwritten"));
  }
  BankManifest& manifest = result_.manifest;
  manifest.epoch = options_.epoch;
  manifest.model_fingerprint = options_.model_fingerprint;
  manifest.shape = runner_.info().memory.shape;
  manifest.record_bytes = RecordBytes(manifest.shape);
  M3_RETURN_IF_ERROR(Lock());
  M3_RETURN_IF_ERROR(WriteTexts());
  M3_RETURN_IF_ERROR(WriteRecords());
  M3_RETURN_IF_ERROR(WriteIndex());
  M3_RETURN_IF_ERROR(Publish());
  return std::move(result_);
}

absl::Status BankBuilder::Lock() {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) return FolderError(folder_, error);
  lock_fd_ = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_fd_ < 0) return FileError(folder_, "cannot be opened");
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(folder_.string(), ": another process builds this bank"));
}

absl::Status BankBuilder::WriteTexts() {
  M3_ASSIGN_OR_RETURN(TextsWriter writer, TextsWriter::Create(folder_));
  M3_RETURN_IF_ERROR(AddDocuments(writer));
  if (writer.count() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(options_.input.string(), ": holds no text to make references of"));
  }
  BankManifest& manifest = result_.manifest;
  manifest.count = writer.count();
  manifest.records_per_file = options_.records_per_file > 0
                                  ? options_.records_per_file
                                  : RecordsPerFile(manifest.count, manifest.record_bytes);
  texts_digest_ = writer.Digest();
  M3_RETURN_IF_ERROR(ClaimFolder(Describe()));
  M3_RETURN_IF_ERROR(writer.Finish());
  M3_ASSIGN_OR_RETURN(texts_, TextsFile::Open(folder_, manifest.count));
  return absl::OkStatus();
}

absl::Status BankBuilder::AddDocuments(TextsWriter& writer) {
  M3_ASSIGN_OR_RETURN(const std::vector<fs::path> files, ListInputs(options_.input));
  const ReferenceSplitter splitter(tokenizer_, runner_.info().memory.reference_tokens);
  const bool is_file = files.size() == 1 && files[0] == options_.input;
  for (size_t i = 0; i < files.size(); ++i) {
    // Relative, so that the bank does not depend on where its input lay.
    const fs::path name =
        is_file ? files[i].filename() : files[i].lexically_relative(options_.input);
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
  return absl::OkStatus();
}

std::string BankBuilder::Describe() const {
  const BankManifest& manifest = result_.manifest;
  return absl::StrCat("bank format ", kBankFormatVersion, "\nepoch ", manifest.epoch, "\nmodel ",
                      manifest.model_fingerprint, "\nmemories ", memory3::Describe(manifest.shape),
                      "\nencoder ", options_.encoder_options, "\ntexts ", manifest.count, " ",
                      texts_digest_, "\nrecords per file ", manifest.records_per_file, "\nindex ",
                      options_.index_options, "\ncold ", options_.cold ? "yes" : "no", "\n");
}

absl::Status BankBuilder::ClaimFolder(const std::string& description) {
  const fs::path file = folder_ / kBuildFile;
  const absl::StatusOr<std::string> before = ReadFile(file, std::numeric_limits<int32_t>::max());
  if (before.ok() && *before == description) return absl::OkStatus();
  if (before.ok() && !options_.restart) {
    return absl::FailedPreconditionError(absl::StrCat(
        folder_.string(), ": an unfinished build of other texts, model or options is there:\n",
        *before, "This one is:\n", description,
        "Remove the folder, or pass --restart to throw it away."));
  }
  M3_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, Entries(folder_));
  for (const fs::path& entry : entries) {
    if (IsUnclaimed(entry)) continue;
    if (!before.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(folder_.string(), ": is not empty and no unfinished build of a bank"));
    }
    M3_RETURN_IF_ERROR(Remove(entry));
  }
  return WriteFileDurably(file, description);
}

absl::Status BankBuilder::WriteRecords() {
  const BankManifest& manifest = result_.manifest;
  if (options_.cold) {
    const RecordTable none(static_cast<size_t>(manifest.count));
    return WriteFileDurably(folder_ / kRecordTableFile, FormatRecordTable(none));
  }
  const RecordStage::Encode encode =
      [this](int64_t first, int64_t count,
             std::vector<std::shared_ptr<const MemoryTensor>>* memories) {
        return Encode(first, count, memories);
      };
  // The rate that is shown must not count what an earlier build did.
  const RecordStage::Progress progress = [this](int64_t done, int64_t encoded) {
    Progress("encode", encoded, result_.manifest.count - done + encoded);
  };
  Progress("encode", 0, manifest.count);
  RecordStage stage(folder_, manifest, runner_.info().memory.max_references_per_encode, encode,
                    progress);
  M3_RETURN_IF_ERROR(stage.Run());
  result_.encoded = stage.encoded();
  return absl::OkStatus();
}

absl::Status BankBuilder::Encode(int64_t first, int64_t count,
                                 std::vector<std::shared_ptr<const MemoryTensor>>* memories) {
  std::vector<std::vector<int32_t>> ids;
  for (int64_t id = first; id < first + count; ++id) {
    M3_ASSIGN_OR_RETURN(const ReferenceText reference, texts_->Read(id));
    ids.push_back(tokenizer_.Encode(reference.text,
                                    {.add_special_tokens = false, .parse_special_tokens = false}));
  }
  const std::vector<absl::Span<const int32_t>> views(ids.begin(), ids.end());
  return runner_.EncodeReferences(views, memories);
}

absl::Status BankBuilder::WriteIndex() {
  const fs::path index = folder_ / kIndexFolder;
  Progress("index", 0, result_.manifest.count);
  M3_RETURN_IF_ERROR(Remove(index));
  M3_ASSIGN_OR_RETURN(result_.manifest.embedder, hooks_.build_index(*texts_, index));
  M3_RETURN_IF_ERROR(SyncFolder(index));
  Progress("index", result_.manifest.count, result_.manifest.count);
  return absl::OkStatus();
}

absl::Status BankBuilder::ListFiles() {
  BankManifest& manifest = result_.manifest;
  std::vector<std::string> names = {kBuildFile, kRecordTableFile, kTextsFile, kTextOffsetsFile};
  M3_ASSIGN_OR_RETURN(const std::vector<fs::path> index, Entries(folder_ / kIndexFolder));
  for (const fs::path& file : index) {
    names.push_back(absl::StrCat(kIndexFolder, "/", file.filename().string()));
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    M3_ASSIGN_OR_RETURN(const FileDigest digest, DigestFile(folder_ / name));
    manifest.files.push_back({name, digest.bytes, digest.checksum});
  }
  const int64_t per_file = manifest.records_per_file;
  for (int64_t first = 0; first < manifest.count && !options_.cold; first += per_file) {
    const int64_t records = std::min(per_file, manifest.count - first);
    manifest.files.push_back(
        {RecordFileName(first / per_file), records * manifest.record_bytes, 0});
  }
  return absl::OkStatus();
}

absl::Status BankBuilder::RemoveUnlisted() const {
  absl::flat_hash_set<std::string> kept = {kManifestFile, kIndexFolder};
  for (const BankFile& file : result_.manifest.files) kept.insert(file.name);
  M3_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, Entries(folder_));
  for (const fs::path& entry : entries) {
    if (!kept.contains(entry.filename().string())) M3_RETURN_IF_ERROR(Remove(entry));
  }
  return SyncFolder(folder_);
}

absl::Status BankBuilder::Publish() {
  M3_RETURN_IF_ERROR(ListFiles());
  M3_RETURN_IF_ERROR(WriteFileDurably(folder_ / kManifestFile, FormatManifest(result_.manifest)));
  M3_RETURN_IF_ERROR(RemoveUnlisted());
  return PublishFolder(folder_, options_.out);
}

void BankBuilder::Progress(std::string_view stage, int64_t done, int64_t total) const {
  if (hooks_.progress) hooks_.progress(stage, done, total);
}

}  // namespace memory3
