#include "engine/model/safetensors_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace memory3 {
namespace {

constexpr size_t kDataAlignment = 64;
constexpr size_t kLengthBytes = 8;

}  // namespace

absl::StatusOr<SafetensorsWriter> SafetensorsWriter::Create(const std::filesystem::path& file,
                                                            absl::Span<const Entry> entries) {
  SafetensorsWriter writer;
  nlohmann::ordered_json header;
  for (const Entry& entry : entries) {
    int64_t bytes = SizeOf(entry.dtype);
    for (int64_t dimension : entry.shape) bytes *= dimension;
    header[entry.name] = {{"dtype", NameOf(entry.dtype)},
                          {"shape", entry.shape},
                          {"data_offsets", {writer.expected_, writer.expected_ + bytes}}};
    writer.expected_ += bytes;
  }
  std::string text = header.is_null() ? "{}" : header.dump();
  const size_t unpadded = kLengthBytes + text.size();
  text.append((kDataAlignment - unpadded % kDataAlignment) % kDataAlignment, ' ');

  writer.path_ = file;
  writer.temporary_ = absl::StrCat(file.string(), ".partial");
  writer.fd_ = open(writer.temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (writer.fd_ < 0) return absl::ErrnoToStatus(errno, writer.temporary_.string());
  const uint64_t length = text.size();
  M3_RETURN_IF_ERROR(writer.WriteAll(&length, sizeof(length)));
  M3_RETURN_IF_ERROR(writer.WriteAll(text.data(), text.size()));
  return writer;
}

absl::Status SafetensorsWriter::WriteAll(const void* bytes, size_t count) {
  const char* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t done = write(fd_, from, count);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return absl::ErrnoToStatus(errno, absl::StrCat("writing ", temporary_.string()));
    from += done;
    count -= static_cast<size_t>(done);
  }
  return absl::OkStatus();
}

absl::Status SafetensorsWriter::Append(absl::Span<const uint8_t> bytes) {
  if (written_ + static_cast<int64_t>(bytes.size()) > expected_) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_.string(), ": more bytes than the ", expected_, " announced"));
  }
  written_ += static_cast<int64_t>(bytes.size());
  return WriteAll(bytes.data(), bytes.size());
}

absl::Status SafetensorsWriter::Finish() {
  if (written_ != expected_) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_.string(), ": ", written_, " bytes written, ", expected_, " announced"));
  }
  if (fsync(fd_) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("syncing ", temporary_.string()));
  if (close(std::exchange(fd_, -1)) != 0) return absl::ErrnoToStatus(errno, temporary_.string());
  std::error_code error;
  std::filesystem::rename(temporary_, path_, error);
  if (error) return absl::InternalError(absl::StrCat(path_.string(), ": ", error.message()));
  temporary_.clear();
  return absl::OkStatus();
}

SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&& other) noexcept {
  *this = std::move(other);
}

SafetensorsWriter& SafetensorsWriter::operator=(SafetensorsWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(fd_, other.fd_);
  std::swap(expected_, other.expected_);
  std::swap(written_, other.written_);
  return *this;
}

SafetensorsWriter::~SafetensorsWriter() {
  if (fd_ >= 0) close(fd_);
  std::error_code ignored;
  if (!temporary_.empty()) std::filesystem::remove(temporary_, ignored);
}

}  // namespace memory3
