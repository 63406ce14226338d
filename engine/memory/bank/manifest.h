// The MANIFEST of a bank: what the bank is and what every file of it must be. Written last, so a
// folder without one is no bank. Format: docs/bank-format.md.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_MANIFEST_H_
#define MEMORY3_ENGINE_MEMORY_BANK_MANIFEST_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/model/memory_config.h"

namespace memory3 {

inline constexpr int kBankFormatVersion = 1;
// Of one bank.
inline constexpr int64_t kMaxReferences = int64_t{1} << 30;
inline constexpr char kManifestFile[] = "MANIFEST";
inline constexpr int64_t kMaxManifestBytes = int64_t{64} << 20;
inline constexpr char kIndexFolder[] = "index";

struct BankFile {
  std::string name;  // relative to the bank, '/' between folders
  int64_t bytes = 0;
  // XXH3-64 of its bytes. 0 for record files, whose records have a CRC32C each.
  uint64_t checksum = 0;
  bool operator==(const BankFile&) const = default;
};

struct BankManifest {
  uint64_t epoch = 1;             // of a newer version of the same bank: larger
  std::string model_fingerprint;  // ModelFingerprint of the model that encoded
  MemoryShape shape;
  int64_t record_bytes = 0;
  int64_t count = 0;  // references
  int64_t records_per_file = 0;
  std::string embedder;  // of the index: "lexical-1024"
  std::vector<BankFile> files;
  bool operator==(const BankManifest&) const = default;
};

std::string FormatManifest(const BankManifest& manifest);
// DataLoss, naming `source`, for anything but what FormatManifest writes: a flipped bit is seen.
// Unimplemented for another format version.
absl::StatusOr<BankManifest> ParseManifest(std::string_view text, std::string_view source);

// Tells two banks apart that have the same epoch: XXH3-64 of the whole MANIFEST.
uint64_t BankIdentity(const BankManifest& manifest);

// Name of record file `index`: "records-00000.bin".
std::string RecordFileName(int64_t index);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_MANIFEST_H_
