// Finds the reference that has a text, exactly. A bank's texts are on disk; what is kept here is 16
// bytes for each.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_TEXT_LOOKUP_H_
#define MEMORY3_ENGINE_MEMORY_BANK_TEXT_LOOKUP_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/memory/bank/texts_file.h"

namespace memory3 {

// Immutable, thread-safe.
class TextLookup {
 public:
  // Reads all of `texts`, which must outlive the lookup.
  static absl::StatusOr<TextLookup> Create(const TextsFile& texts);

  // The id, if a reference has this text, whatever its title. Reads one text.
  absl::StatusOr<std::optional<int64_t>> Find(std::string_view text) const;

 private:
  explicit TextLookup(const TextsFile& texts) : texts_(&texts) {}

  const TextsFile* texts_;
  std::vector<std::pair<uint64_t, int64_t>> ids_;  // by XXH3-64 of the text, sorted
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_TEXT_LOOKUP_H_
