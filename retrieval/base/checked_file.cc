#include "retrieval/base/checked_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "retrieval/base/byte_cursor.h"

namespace memory3 {
namespace {

constexpr int kHashedHeaderBytes = 24;

std::string MakeHeader(std::string_view magic, uint64_t payload_bytes, uint64_t checksum) {
  std::string header(magic);
  AppendNumber(payload_bytes, &header);
  AppendNumber(checksum, &header);
  AppendNumber<uint64_t>(XXH3_64bits(header.data(), header.size()), &header);
  return header;
}

}  // namespace

void CheckedFileCloser::operator()(XXH3_state_s* hash) const { XXH3_freeState(hash); }

absl::Status CheckedFileWriter::Failed(std::string_view what) const {
  return absl::UnavailableError(
      absl::StrCat(path_.string(), ": cannot ", AbslView(what), ": ", std::strerror(errno)));
}

absl::StatusOr<CheckedFileWriter> CheckedFileWriter::Create(const std::filesystem::path& file,
                                                            std::string_view magic) {
  M3_CHECK(magic.size() == kMagicBytes);
  CheckedFileWriter writer;
  writer.path_ = file;
  writer.magic_ = std::string(magic);
  writer.file_.reset(std::fopen(file.c_str(), "wb"));
  if (writer.file_ == nullptr) return writer.Failed("create");
  writer.hash_.reset(XXH3_createState());
  XXH3_64bits_reset(writer.hash_.get());
  const std::string room(kCheckedHeaderBytes, '\0');
  if (std::fwrite(room.data(), 1, room.size(), writer.file_.get()) != room.size()) {
    return writer.Failed("write");
  }
  return writer;
}

absl::Status CheckedFileWriter::Append(std::string_view payload) {
  if (std::fwrite(payload.data(), 1, payload.size(), file_.get()) != payload.size()) {
    return Failed("write");
  }
  XXH3_64bits_update(hash_.get(), payload.data(), payload.size());
  payload_bytes_ += payload.size();
  return absl::OkStatus();
}

absl::Status CheckedFileWriter::Finish() {
  payload_checksum_ = XXH3_64bits_digest(hash_.get());
  const std::string header = MakeHeader(magic_, payload_bytes_, payload_checksum_);
  // The payload reaches the disk before the header that vouches for it.
  if (std::fflush(file_.get()) != 0 || fsync(fileno(file_.get())) != 0 ||
      std::fseek(file_.get(), 0, SEEK_SET) != 0 ||
      std::fwrite(header.data(), 1, header.size(), file_.get()) != header.size() ||
      std::fflush(file_.get()) != 0 || fsync(fileno(file_.get())) != 0) {
    return Failed("write");
  }
  return std::fclose(file_.release()) == 0 ? absl::OkStatus() : Failed("close");
}

absl::Status CheckedFileReader::Damaged(std::string_view what) const {
  return absl::DataLossError(absl::StrCat(path_.string(), ": ", AbslView(what)));
}

absl::StatusOr<CheckedFileReader> CheckedFileReader::Open(const std::filesystem::path& file,
                                                          std::string_view magic) {
  CheckedFileReader reader;
  reader.path_ = file;
  reader.file_.reset(std::fopen(file.c_str(), "rb"));
  if (reader.file_ == nullptr) {
    const std::string message = absl::StrCat(file.string(), ": ", std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(message) : absl::UnavailableError(message);
  }
  struct stat info = {};
  if (fstat(fileno(reader.file_.get()), &info) != 0 || !S_ISREG(info.st_mode)) {
    return reader.Damaged("is no file");
  }
  char header[kCheckedHeaderBytes] = {};
  if (std::fread(header, 1, sizeof(header), reader.file_.get()) != sizeof(header)) {
    return reader.Damaged("is shorter than its header");
  }
  ByteCursor cursor(std::string_view(header, sizeof(header)));
  if (cursor.NextBytes(kMagicBytes) != magic) {
    return reader.Damaged(absl::StrCat("does not begin with ", AbslView(magic)));
  }
  reader.payload_bytes_ = cursor.Next<uint64_t>();
  reader.payload_checksum_ = cursor.Next<uint64_t>();
  if (cursor.Next<uint64_t>() != XXH3_64bits(header, kHashedHeaderBytes)) {
    return reader.Damaged("the header is damaged");
  }
  if (reader.payload_bytes_ != static_cast<uint64_t>(info.st_size) - kCheckedHeaderBytes) {
    return reader.Damaged(absl::StrCat("has ", info.st_size, " bytes, but its header says ",
                                       reader.payload_bytes_, " after the header"));
  }
  reader.hash_.reset(XXH3_createState());
  XXH3_64bits_reset(reader.hash_.get());
  return reader;
}

absl::Status CheckedFileReader::Read(absl::Span<char> out) {
  if (std::fread(out.data(), 1, out.size(), file_.get()) != out.size()) {
    return Damaged("ends early");
  }
  XXH3_64bits_update(hash_.get(), out.data(), out.size());
  read_ += out.size();
  return absl::OkStatus();
}

absl::Status CheckedFileReader::Finish() {
  if (read_ != payload_bytes_) return Damaged("is longer than what it holds");
  if (XXH3_64bits_digest(hash_.get()) != payload_checksum_) {
    return Damaged("the checksum of the payload is wrong");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<char>> ReadCheckedFile(const std::filesystem::path& file,
                                                  std::string_view magic, uint64_t max_bytes) {
  M3_ASSIGN_OR_RETURN(CheckedFileReader reader, CheckedFileReader::Open(file, magic));
  if (reader.payload_bytes() > max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(file.string(), ": has more than ", max_bytes, " bytes"));
  }
  std::vector<char> payload(reader.payload_bytes());
  M3_RETURN_IF_ERROR(reader.Read(absl::MakeSpan(payload)));
  M3_RETURN_IF_ERROR(reader.Finish());
  return payload;
}

}  // namespace memory3
