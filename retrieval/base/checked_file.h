// The frame of every file of an index: a header of 32 bytes, then the payload.
//
//   offset  bytes
//        0      8  magic, which names the kind of file and the version of its format
//        8      8  payload, bytes
//       16      8  XXH3-64 of the payload
//       24      8  XXH3-64 of the 24 bytes before
//
// All numbers are little-endian. The header is written last: a file whose writer died has none.
#ifndef MEMORY3_RETRIEVAL_BASE_CHECKED_FILE_H_
#define MEMORY3_RETRIEVAL_BASE_CHECKED_FILE_H_

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

struct XXH3_state_s;

namespace memory3 {

inline constexpr int kCheckedHeaderBytes = 32;
inline constexpr int kMagicBytes = 8;

struct CheckedFileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
  void operator()(XXH3_state_s* hash) const;
};

// Not thread-safe. A file that is not finished stays without a header.
class CheckedFileWriter {
 public:
  // Replaces what is there. magic: kMagicBytes characters.
  static absl::StatusOr<CheckedFileWriter> Create(const std::filesystem::path& file,
                                                  std::string_view magic);
  absl::Status Append(std::string_view payload);
  // Writes the header and syncs.
  absl::Status Finish();
  uint64_t payload_checksum() const { return payload_checksum_; }  // once finished

 private:
  CheckedFileWriter() = default;
  absl::Status Failed(std::string_view what) const;

  std::filesystem::path path_;
  std::string magic_;
  std::unique_ptr<std::FILE, CheckedFileCloser> file_;
  std::unique_ptr<XXH3_state_s, CheckedFileCloser> hash_;
  uint64_t payload_bytes_ = 0;
  uint64_t payload_checksum_ = 0;
};

// Reads the payload front to back. What Read gives is not yet checked: it may be used only in ways
// that no bytes can harm, until Finish has returned OK. Not thread-safe.
class CheckedFileReader {
 public:
  // NotFound, or DataLoss when the header is damaged, of another kind, or does not fit the size.
  static absl::StatusOr<CheckedFileReader> Open(const std::filesystem::path& file,
                                                std::string_view magic);
  uint64_t payload_bytes() const { return payload_bytes_; }
  uint64_t payload_checksum() const { return payload_checksum_; }  // as the header says
  // Exactly out.size() bytes; DataLoss when the file ends before.
  absl::Status Read(absl::Span<char> out);
  // DataLoss unless the whole payload was read and its checksum is right.
  absl::Status Finish();
  // DataLoss that names the file.
  absl::Status Damaged(std::string_view what) const;

 private:
  CheckedFileReader() = default;

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, CheckedFileCloser> file_;
  std::unique_ptr<XXH3_state_s, CheckedFileCloser> hash_;
  uint64_t payload_bytes_ = 0;
  uint64_t payload_checksum_ = 0;
  uint64_t read_ = 0;
};

// A whole small file at once, checked. ResourceExhausted above max_bytes.
absl::StatusOr<std::vector<char>> ReadCheckedFile(const std::filesystem::path& file,
                                                  std::string_view magic, uint64_t max_bytes);

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_BASE_CHECKED_FILE_H_
