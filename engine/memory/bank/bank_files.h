// Writing files so that they survive a crash, and checking that they are what they were.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_BANK_FILES_H_
#define MEMORY3_ENGINE_MEMORY_BANK_BANK_FILES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/memory/bank/record_file.h"

namespace memory3 {

// What a name ends in while its file is being written.
inline constexpr char kTemporarySuffix[] = ".tmp";

// "path: what: system's reason", by the current errno: ResourceExhausted for a full disk, NotFound,
// PermissionDenied, else Unavailable.
absl::Status FileError(const std::filesystem::path& path, std::string_view what);

// All of `bytes`, whatever a single write takes.
absl::Status WriteAll(int fd, std::string_view bytes, const std::filesystem::path& path);

// Appends to a new file; nothing is there under its name until Finish has synced and renamed it.
class DurableFile {
 public:
  static absl::StatusOr<DurableFile> Create(const std::filesystem::path& path);
  ~DurableFile();  // without Finish: removes what was written
  DurableFile(DurableFile&& other) noexcept;
  DurableFile& operator=(DurableFile&&) = delete;

  absl::Status Append(std::string_view bytes);
  absl::Status Finish();

 private:
  DurableFile(std::filesystem::path path, std::filesystem::path temporary, int fd);
  std::filesystem::path path_, temporary_;
  int fd_;
};

absl::Status WriteFileDurably(const std::filesystem::path& path, std::string_view bytes);
// Makes names in the folder durable.
absl::Status SyncFolder(const std::filesystem::path& folder);
// Renames durably. AlreadyExists when `to` exists, even as an empty folder.
absl::Status PublishFolder(const std::filesystem::path& from, const std::filesystem::path& to);

// Fills `bytes` from `offset` on. DataLoss when the file ends before.
absl::Status ReadExactly(const RecordFile& file, int64_t offset, absl::Span<uint8_t> bytes);

struct FileDigest {
  int64_t bytes = 0;
  uint64_t checksum = 0;  // XXH3-64
};
absl::StatusOr<FileDigest> DigestFile(const std::filesystem::path& path);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_BANK_FILES_H_
