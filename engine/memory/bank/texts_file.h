// The texts of a bank: one JSON object per line, and a file of offsets that finds line `id` at
// once.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_TEXTS_FILE_H_
#define MEMORY3_ENGINE_MEMORY_BANK_TEXTS_FILE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/memory/bank/record_file.h"
#include "engine/memory/bank/reference_text.h"

namespace memory3 {

inline constexpr char kTextsFile[] = "texts.jsonl";
// Little-endian 64-bit offsets: count + 1 of them, the last one the size of kTextsFile.
inline constexpr char kTextOffsetsFile[] = "texts.offsets";
// Of one line; a longer one is refused.
inline constexpr int64_t kMaxTextLineBytes = int64_t{1} << 20;

// One line, without the newline.
std::string FormatReferenceText(const ReferenceText& reference);
// DataLoss, naming `source`.
absl::StatusOr<ReferenceText> ParseReferenceText(std::string_view line, std::string_view source);

std::string FormatTextOffsets(const std::vector<uint64_t>& offsets);

// Thread-safe.
class TextsFile {
 public:
  // `count` references. DataLoss when the offsets do not fit the texts.
  static absl::StatusOr<std::unique_ptr<const TextsFile>> Open(const std::filesystem::path& dir,
                                                               int64_t count);
  int64_t count() const { return static_cast<int64_t>(offsets_.size()) - 1; }
  // id in [0, count).
  absl::StatusOr<ReferenceText> Read(int64_t id) const;

 private:
  TextsFile() = default;
  std::shared_ptr<const RecordFile> file_;
  std::vector<uint64_t> offsets_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_TEXTS_FILE_H_
