// The texts of a bank on their way to disk, each once.
#ifndef MEMORY3_ENGINE_MEMORY_TEXTS_WRITER_H_
#define MEMORY3_ENGINE_MEMORY_TEXTS_WRITER_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/reference_text.h"

namespace memory3 {

// Not thread-safe.
class TextsWriter {
 public:
  static absl::StatusOr<TextsWriter> Create(const std::filesystem::path& folder);

  // False for a text that was there before (by its XXH3-128): the first one stays.
  absl::StatusOr<bool> Add(const ReferenceText& reference);
  int64_t count() const { return static_cast<int64_t>(offsets_.size()) - 1; }
  // Of everything added, 32 hexadecimal digits.
  std::string Digest() const;
  // Only now the two files are there under their names.
  absl::Status Finish();

 private:
  using Hash128 = std::pair<uint64_t, uint64_t>;

  TextsWriter(std::filesystem::path folder, DurableFile file)
      : folder_(std::move(folder)), file_(std::move(file)) {}
  static Hash128 HashOf(std::string_view text);
  absl::Status Flush();

  const std::filesystem::path folder_;
  DurableFile file_;
  std::string buffer_;
  std::vector<uint64_t> offsets_ = {0};
  absl::flat_hash_set<Hash128> seen_;
  Hash128 digest_ = {0, 0};
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_TEXTS_WRITER_H_
