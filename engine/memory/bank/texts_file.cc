#include "engine/memory/bank/texts_file.h"

#include <unistd.h>

#include <cerrno>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/parse_json.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/memory/bank/bank_files.h"

namespace memory3 {
namespace {

constexpr int kOffsetBytes = 8;
constexpr int kMaxTokens = 1 << 20;

absl::Status Damaged(const std::string& source, absl::string_view problem) {
  return absl::DataLossError(absl::StrCat(source, ": ", problem));
}

std::vector<uint64_t> ParseOffsets(std::string_view bytes) {
  std::vector<uint64_t> offsets;
  offsets.reserve(bytes.size() / kOffsetBytes);
  for (size_t at = 0; at + kOffsetBytes <= bytes.size(); at += kOffsetBytes) {
    uint64_t offset = 0;
    for (int i = kOffsetBytes - 1; i >= 0; --i) {
      offset = offset << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    offsets.push_back(offset);
  }
  return offsets;
}

}  // namespace

std::string FormatReferenceText(const ReferenceText& reference) {
  nlohmann::ordered_json json = {{"text", reference.text}};
  if (!reference.title.empty()) json["title"] = reference.title;
  if (!reference.source.empty()) json["source"] = reference.source;
  if (!reference.source_id.empty()) json["source_id"] = reference.source_id;
  json["tokens"] = reference.tokens;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<ReferenceText> ParseReferenceText(std::string_view line, std::string_view source) {
  const std::string name(source);
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(AbslView(line), AbslView(source));
  if (!parsed.ok() || !parsed->is_object()) return Damaged(name, "is not a JSON object");
  const nlohmann::json& json = *parsed;
  ReferenceText reference;
  const std::pair<const char*, std::string*> strings[] = {{"text", &reference.text},
                                                          {"title", &reference.title},
                                                          {"source", &reference.source},
                                                          {"source_id", &reference.source_id}};
  for (const auto& [key, value] : strings) {
    const auto found = json.find(key);
    if (found == json.end()) continue;
    if (!found->is_string()) return Damaged(name, absl::StrCat(key, " must be a string"));
    *value = found->get<std::string>();
  }
  const auto tokens = json.find("tokens");
  if (tokens == json.end() || !tokens->is_number_integer() || tokens->get<int64_t>() < 0 ||
      tokens->get<int64_t>() > kMaxTokens) {
    return Damaged(name, "tokens must be a number");
  }
  reference.tokens = tokens->get<int>();
  return reference;
}

std::string FormatTextOffsets(const std::vector<uint64_t>& offsets) {
  std::string bytes;
  bytes.reserve(offsets.size() * kOffsetBytes);
  for (const uint64_t offset : offsets) {
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(offset >> shift));
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<const TextsFile>> TextsFile::Open(const std::filesystem::path& dir,
                                                                 int64_t count) {
  std::unique_ptr<TextsFile> texts(new TextsFile());
  M3_ASSIGN_OR_RETURN(texts->file_, RecordFile::Open(dir / kTextsFile, /*direct=*/false));
  const std::filesystem::path offsets = dir / kTextOffsetsFile;
  M3_ASSIGN_OR_RETURN(const std::string bytes,
                      ReadFile(offsets, std::numeric_limits<int64_t>::max()));
  texts->offsets_ = ParseOffsets(bytes);
  bool fits = bytes.size() == static_cast<size_t>(count + 1) * kOffsetBytes &&
              texts->offsets_.front() == 0 &&
              texts->offsets_.back() == static_cast<uint64_t>(texts->file_->size());
  for (size_t i = 1; fits && i < texts->offsets_.size(); ++i) {
    fits = texts->offsets_[i] > texts->offsets_[i - 1] &&
           texts->offsets_[i] - texts->offsets_[i - 1] <= kMaxTextLineBytes;
  }
  if (!fits)
    return Damaged(offsets.string(), absl::StrCat("does not divide the texts into ", count));
  return texts;
}

absl::StatusOr<ReferenceText> TextsFile::Read(int64_t id) const {
  const uint64_t begin = offsets_[id];
  std::string line(offsets_[id + 1] - begin, '\0');
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t got = pread(file_->fd(), line.data() + done, line.size() - done,
                              static_cast<off_t>(begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(file_->path(), "cannot be read");
    if (got == 0) return Damaged(file_->path().string(), "ends early");
    done += got;
  }
  return ParseReferenceText(line, absl::StrCat(file_->path().string(), ": line ", id + 1));
}

}  // namespace memory3
