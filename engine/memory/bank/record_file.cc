#include "engine/memory/bank/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace memory3 {
namespace {

int OpenForReading(const std::filesystem::path& path, int flags) {
  int fd;
  do {
    fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const RecordFile>> RecordFile::Open(
    const std::filesystem::path& path, bool direct) {
  std::shared_ptr<RecordFile> file(new RecordFile);  // its destructor closes what was opened
  file->path_ = path;
  // Without O_NONBLOCK a pipe put in a file's place would block here for ever.
  file->fd_ = OpenForReading(path, O_NONBLOCK);
  if (file->fd_ < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path.native(), ": open"));
  struct stat status = {};
  if (fstat(file->fd_, &status) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path.native(), ": fstat"));
  }
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path.native(), ": not a regular file"));
  }
  // Left on, io_uring would answer EAGAIN instead of reading from the device.
  if (fcntl(file->fd_, F_SETFL, 0) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path.native(), ": fcntl"));
  }
  file->size_ = status.st_size;
  if (direct) file->direct_fd_ = OpenForReading(path, O_DIRECT);
  return file;
}

RecordFile::~RecordFile() {
  if (fd_ >= 0) close(fd_);
  if (direct_fd_ >= 0) close(direct_fd_);
}

}  // namespace memory3
