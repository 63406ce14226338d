#include "engine/memory/texts_writer.h"

#include <xxhash.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/texts_file.h"

namespace memory3 {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

}  // namespace

absl::StatusOr<TextsWriter> TextsWriter::Create(const std::filesystem::path& folder) {
  M3_ASSIGN_OR_RETURN(DurableFile file, DurableFile::Create(folder / kTextsFile));
  return TextsWriter(folder, std::move(file));
}

TextsWriter::Hash128 TextsWriter::HashOf(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {hash.high64, hash.low64};
}

absl::StatusOr<bool> TextsWriter::Add(const ReferenceText& reference) {
  if (!seen_.insert(HashOf(reference.text)).second) return false;
  const std::string line = FormatReferenceText(reference);
  if (static_cast<int64_t>(line.size()) + 1 > kMaxTextLineBytes) {
    return absl::InvalidArgumentError(absl::StrCat(reference.source, ": a reference of ",
                                                   line.size(), " bytes, at most ",
                                                   kMaxTextLineBytes, " fit"));
  }
  buffer_ += line;
  buffer_ += '\n';
  offsets_.push_back(offsets_.back() + line.size() + 1);
  digest_ = HashOf(absl::StrCat(absl::Hex(digest_.first), absl::Hex(digest_.second), line));
  if (buffer_.size() >= kBufferBytes) M3_RETURN_IF_ERROR(Flush());
  return true;
}

std::string TextsWriter::Digest() const {
  return absl::StrFormat("%016x%016x", digest_.first, digest_.second);
}

absl::Status TextsWriter::Finish() {
  M3_RETURN_IF_ERROR(Flush());
  M3_RETURN_IF_ERROR(file_.Finish());
  return WriteFileDurably(folder_ / kTextOffsetsFile, FormatTextOffsets(offsets_));
}

absl::Status TextsWriter::Flush() {
  M3_RETURN_IF_ERROR(file_.Append(buffer_));
  buffer_.clear();
  return absl::OkStatus();
}

}  // namespace memory3
