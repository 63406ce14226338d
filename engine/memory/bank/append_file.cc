#include "engine/memory/bank/append_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/bank_files.h"

namespace memory3 {

absl::StatusOr<AppendFile> AppendFile::Open(const std::filesystem::path& path) {
  AppendFile file(path, open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.fd_ < 0) return FileError(path, "cannot be opened");
  if (flock(file.fd_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path.string(), ": another process has it open for writing"));
  }
  struct stat status = {};
  if (fstat(file.fd_, &status) != 0) return FileError(path, "cannot be read");
  file.bytes_ = status.st_size;
  return file;
}

AppendFile::~AppendFile() {
  if (fd_ >= 0) close(fd_);
}

absl::Status AppendFile::Write(std::string_view bytes) {
  int64_t offset = bytes_;
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(path_, "cannot be written");
    offset += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (fdatasync(fd_) != 0) return FileError(path_, "cannot be synced");
  return absl::OkStatus();
}

absl::Status AppendFile::AppendDurably(std::string_view bytes) {
  if (broken_) {
    return absl::UnavailableError(
        absl::StrCat(path_.string(), ": an earlier write failed and could not be taken back"));
  }
  const absl::Status status = Write(bytes);
  if (status.ok()) {
    bytes_ += static_cast<int64_t>(bytes.size());
    return status;
  }
  // A piece of what failed must not stand before what comes next.
  broken_ = !Cut(bytes_).ok();
  return status;
}

absl::Status AppendFile::Cut(int64_t bytes) {
  if (ftruncate(fd_, bytes) != 0) return FileError(path_, "cannot be cut");
  if (fdatasync(fd_) != 0) return FileError(path_, "cannot be synced");
  bytes_ = bytes;
  return absl::OkStatus();
}

absl::StatusOr<std::string> AppendFile::Read(int64_t offset, int64_t size) const {
  std::string bytes(static_cast<size_t>(size), '\0');
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t got = pread(fd_, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(offset + static_cast<int64_t>(done)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(path_, "cannot be read");
    if (got == 0) return absl::DataLossError(absl::StrCat(path_.string(), ": ends early"));
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace memory3
