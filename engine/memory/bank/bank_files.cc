#include "engine/memory/bank/bank_files.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"

namespace memory3 {
namespace {

constexpr size_t kDigestBlock = size_t{1} << 17;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

absl::Status FileError(const std::filesystem::path& path, std::string_view what) {
  const int error = errno;
  const std::string message =
      absl::StrCat(path.string(), ": ", AbslView(what), ": ", std::strerror(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(message);
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(path, "cannot be written");
    bytes.remove_prefix(written);
  }
  return absl::OkStatus();
}

DurableFile::DurableFile(std::filesystem::path path, std::filesystem::path temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

DurableFile::DurableFile(DurableFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::exchange(other.fd_, -1)) {}

DurableFile::~DurableFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

absl::StatusOr<DurableFile> DurableFile::Create(const std::filesystem::path& path) {
  const std::filesystem::path temporary = path.string() + kTemporarySuffix;
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return FileError(temporary, "cannot be created");
  return DurableFile(path, temporary, fd);
}

absl::Status DurableFile::Append(std::string_view bytes) {
  return WriteAll(fd_, bytes, temporary_);
}

absl::Status DurableFile::Finish() {
  if (fsync(fd_) != 0) return FileError(temporary_, "cannot be synced");
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return FileError(path_, "cannot be renamed");
  close(std::exchange(fd_, -1));
  return SyncFolder(path_.parent_path());
}

absl::Status WriteFileDurably(const std::filesystem::path& path, std::string_view bytes) {
  M3_ASSIGN_OR_RETURN(DurableFile file, DurableFile::Create(path));
  M3_RETURN_IF_ERROR(file.Append(bytes));
  return file.Finish();
}

absl::Status SyncFolder(const std::filesystem::path& folder) {
  const std::filesystem::path name = folder.empty() ? "." : folder;
  const Descriptor fd(open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return FileError(name, "cannot be opened");
  if (fsync(fd.get()) != 0) return FileError(name, "cannot be synced");
  return absl::OkStatus();
}

absl::Status PublishFolder(const std::filesystem::path& from, const std::filesystem::path& to) {
  // A plain rename would silently replace an empty folder. Some file systems know only that one.
  int result = renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  std::error_code error;
  if (result != 0 && errno == EINVAL && !std::filesystem::exists(to, error)) {
    result = rename(from.c_str(), to.c_str());
  }
  if (result != 0 && errno == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat(to.string(), ": exists already"));
  }
  if (result != 0) return FileError(to, "cannot be published");
  return SyncFolder(std::filesystem::absolute(to).parent_path());
}

absl::Status ReadExactly(const RecordFile& file, int64_t offset, absl::Span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = pread(file.fd(), bytes.data(), bytes.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(file.path(), "cannot be read");
    if (got == 0) return absl::DataLossError(absl::StrCat(file.path().string(), ": ends early"));
    bytes.remove_prefix(got);
    offset += got;
  }
  return absl::OkStatus();
}

absl::StatusOr<FileDigest> DigestFile(const std::filesystem::path& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return FileError(path, "cannot be opened");
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  XXH3_64bits_reset(state.get());
  std::vector<char> block(kDigestBlock);
  FileDigest digest;
  for (;;) {
    const ssize_t got = read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(path, "cannot be read");
    if (got == 0) break;
    XXH3_64bits_update(state.get(), block.data(), got);
    digest.bytes += got;
  }
  digest.checksum = XXH3_64bits_digest(state.get());
  return digest;
}

}  // namespace memory3
