#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/taught_log.h"
#include "engine/memory/bank/texts_file.h"

namespace memory3 {
namespace {

// Read at once; any whole line is shorter.
constexpr int64_t kBlockBytes = 4 * kMaxTextLineBytes;

absl::StatusOr<std::string> ReadAt(int fd, int64_t offset, int64_t size,
                                   const std::filesystem::path& path) {
  std::string bytes(static_cast<size_t>(size), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = pread(fd, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(offset + static_cast<int64_t>(done)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(path, "cannot be read");
    if (got == 0) break;  // a torn line was cut off a moment ago
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

absl::Status TaughtLogReader::Poll(std::vector<TaughtEntry>* entries) {
  const std::filesystem::path path = dir_ / kTaughtLogFile;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && lines_ == 0) return absl::OkStatus();
  if (fd < 0) return FileError(path, "cannot be opened");
  const absl::Cleanup closer = [fd] { close(fd); };
  struct stat status = {};
  if (fstat(fd, &status) != 0) return FileError(path, "cannot be read");
  if (lines_ > 0 && (status.st_ino != inode_ || status.st_size < position_)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path.string(), ": another log has taken its place"));
  }
  inode_ = status.st_ino;
  while (position_ < status.st_size) {
    const int64_t size = std::min<int64_t>(status.st_size - position_, kBlockBytes);
    M3_ASSIGN_OR_RETURN(const std::string text, ReadAt(fd, position_, size, path));
    const int64_t before = position_;
    const bool to_end = position_ + size == status.st_size;
    M3_RETURN_IF_ERROR(Take(text, to_end, entries));
    if (to_end) break;
    if (position_ == before) {
      return absl::DataLossError(
          absl::StrCat(path.string(), ": a line without end at byte ", position_));
    }
  }
  return absl::OkStatus();
}

absl::Status TaughtLogReader::Take(std::string_view text, bool to_end,
                                   std::vector<TaughtEntry>* entries) {
  for (size_t end; (end = text.find('\n')) != std::string_view::npos;) {
    absl::StatusOr<TaughtLine> line = ParseTaughtLine(text.substr(0, end), lines_);
    const bool last = to_end && end + 1 == text.size();
    // It may be half of one that a crash cut short and that the writer will cut off.
    if (absl::IsDataLoss(line.status()) && last) return absl::OkStatus();
    if (!line.ok()) {
      return absl::Status(line.status().code(),
                          absl::StrCat((dir_ / kTaughtLogFile).string(), ": at byte ", position_,
                                       ": ", line.status().message()));
    }
    if (auto* header = std::get_if<TaughtHeader>(&*line)) header_ = std::move(*header);
    if (const auto* bank = std::get_if<TaughtBank>(&*line)) banks_.push_back(*bank);
    if (auto* entry = std::get_if<TaughtEntry>(&*line)) entries->push_back(std::move(*entry));
    ++lines_;
    position_ += static_cast<int64_t>(end) + 1;
    text.remove_prefix(end + 1);
  }
  return absl::OkStatus();
}

}  // namespace memory3
