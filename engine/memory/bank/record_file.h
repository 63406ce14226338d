// An open file of records, readable through the page cache and, where the file system can, past it.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_RECORD_FILE_H_
#define MEMORY3_ENGINE_MEMORY_BANK_RECORD_FILE_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"

namespace memory3 {

// Immutable but for RefuseDirect; file descriptors are closed with the last reference, so a read in
// progress keeps its file. Thread-safe.
class RecordFile {
 public:
  // `direct` asks for O_DIRECT as well; where it is refused direct_fd() is -1 and that is no error.
  // InvalidArgument for what is no regular file, else the system's error; both name the path.
  static absl::StatusOr<std::shared_ptr<const RecordFile>> Open(const std::filesystem::path& path,
                                                                bool direct);
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;
  ~RecordFile();

  int fd() const { return fd_; }
  int direct_fd() const { return direct_refused_ ? -1 : direct_fd_; }  // -1: read through fd()
  int64_t size() const { return size_; }                               // when opened
  const std::filesystem::path& path() const { return path_; }

  // For readers: some file systems open with O_DIRECT and then answer EINVAL to every aligned read.
  // From now on direct_fd() is -1; the descriptor stays open for reads in progress. True for the
  // first caller.
  bool RefuseDirect() const { return !direct_refused_.exchange(true); }

 private:
  RecordFile() = default;
  std::filesystem::path path_;
  int fd_ = -1;
  int direct_fd_ = -1;
  mutable std::atomic<bool> direct_refused_{false};
  int64_t size_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_RECORD_FILE_H_
