// The lines of a log of taught references: JSON, a tab, the CRC32C of the JSON in 8 hexadecimal
// digits. Format: docs/bank-format.md.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_TAUGHT_ENTRY_H_
#define MEMORY3_ENGINE_MEMORY_BANK_TAUGHT_ENTRY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/memory/bank/reference_text.h"
#include "engine/memory/memory_id.h"

namespace memory3 {

struct TaughtEntry {
  enum class Kind { kAdd, kEncode, kDelete };
  Kind kind = Kind::kAdd;
  MemoryKey key;            // kAdd: epoch 0, for taught references outlive banks
  ReferenceText reference;  // kAdd
  // kAdd, and kEncode: the first memory of a bank's reference that had a text only.
  int64_t record = -1;
  int tokens = 0;
  uint32_t checksum = 0;
};

// The first line.
struct TaughtHeader {
  std::string model_fingerprint;
  int64_t record_bytes = 0;
};

// Says which bank the entries of an epoch are about (BankIdentity), before the first of them.
struct TaughtBank {
  uint64_t epoch = 0;
  uint64_t identity = 0;
};

using TaughtLine = std::variant<TaughtHeader, TaughtBank, TaughtEntry>;

// With its newline. `number`: 0 for the header, then 1, 2, ...
std::string FormatTaughtLine(const TaughtLine& line, int64_t number);
// `text` is without its newline. DataLoss for a wrong checksum, another number, or what
// FormatTaughtLine does not write; Unimplemented for a header of another version.
absl::StatusOr<TaughtLine> ParseTaughtLine(std::string_view text, int64_t number);

// Whether a crash of the writer explains `tail`: what follows the last good line of a log, not
// empty. If not, a line that was promised is damaged.
bool IsTornTail(std::string_view tail);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_TAUGHT_ENTRY_H_
