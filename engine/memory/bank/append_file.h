// A file that one process appends to, and whose end can be taken back.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_APPEND_FILE_H_
#define MEMORY3_ENGINE_MEMORY_BANK_APPEND_FILE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace memory3 {

// Not thread-safe. Errors are FileError's.
class AppendFile {
 public:
  // Made when it does not exist. FailedPrecondition when another AppendFile has it open.
  static absl::StatusOr<AppendFile> Open(const std::filesystem::path& path);
  AppendFile(AppendFile&& other) noexcept
      : path_(std::move(other.path_)),
        fd_(std::exchange(other.fd_, -1)),
        bytes_(other.bytes_),
        broken_(other.broken_) {}
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();

  int64_t bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }

  // Appends and waits until it is on the disk. After an error the file ends where it did before;
  // where even that cannot be had, every later call fails too.
  absl::Status AppendDurably(std::string_view bytes);
  // Removes everything from `bytes` on, durably.
  absl::Status Cut(int64_t bytes);
  // DataLoss when the file ends before `size`.
  absl::StatusOr<std::string> Read(int64_t offset, int64_t size) const;

 private:
  AppendFile(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status Write(std::string_view bytes);

  std::filesystem::path path_;
  int fd_;
  int64_t bytes_ = 0;
  bool broken_ = false;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_APPEND_FILE_H_
