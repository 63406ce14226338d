#include "engine/base/read_file.h"

#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace memory3 {

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file, int64_t max_bytes) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return absl::NotFoundError(absl::StrCat(file.string(), ": no such file"));
  }
  if (!std::filesystem::is_regular_file(file, error)) {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), ": not a file"));
  }
  const uintmax_t size = std::filesystem::file_size(file, error);
  if (error || size > static_cast<uintmax_t>(max_bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.string(), ": larger than ", max_bytes, " bytes"));
  }
  std::ifstream stream(file, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream || bytes.size() != size) {
    return absl::FailedPreconditionError(absl::StrCat(file.string(), ": cannot be read"));
  }
  return bytes;
}

}  // namespace memory3
