// A bank of random memories, written with the library's own formats and without a model.
#ifndef MEMORY3_TESTS_UNIT_MEMORY_SMALL_BANK_H_
#define MEMORY3_TESTS_UNIT_MEMORY_SMALL_BANK_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/memory/bank/manifest.h"
#include "engine/memory/bank/reference_text.h"

namespace memory3 {

// 8,192 bytes a record.
inline constexpr MemoryShape kSmallShape = {
    .layers = 2, .kv_heads = 2, .kept_tokens = 8, .head_dim = 64};
inline constexpr char kSmallFingerprint[] = "00112233445566778899aabbccddeeff";

struct SmallBankOptions {
  int references = 5;
  int records_per_file = 2;
  uint64_t epoch = 1;
  uint64_t seed = 1;
  bool cold = false;  // texts without memories
};

ReferenceText SmallReference(int id, uint64_t seed = 1);
std::string RandomRecord(uint64_t seed);

// Fails the test when it cannot.
void WriteSmallBank(const std::filesystem::path& dir, const SmallBankOptions& options = {});

// With a MANIFEST whose own checksum is right, whatever it says.
void Reseal(const std::filesystem::path& dir, const std::string& from, const std::string& to);

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_MEMORY_SMALL_BANK_H_
