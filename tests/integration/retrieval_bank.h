// Banks for the sidecar: a MANIFEST and an index, which is all that it reads of one.
#ifndef MEMORY3_TESTS_INTEGRATION_RETRIEVAL_BANK_H_
#define MEMORY3_TESTS_INTEGRATION_RETRIEVAL_BANK_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/memory/bank/taught_log.h"
#include "engine/model/memory_config.h"

namespace memory3 {

inline constexpr char kTestFingerprint[] = "0123456789abcdef0123456789abcdef";
inline constexpr char kOtherFingerprint[] = "fedcba9876543210fedcba9876543210";
MemoryShape SmallShape();

// As a bank's builder publishes one: built under another name, then renamed to `dir`, which must
// not exist.
void PublishBank(const std::filesystem::path& dir, uint64_t epoch,
                 const std::vector<std::string>& texts,
                 const std::string& fingerprint = kTestFingerprint);

// Texts about different things; the same ones for the same `version`.
std::vector<std::string> BankTexts(int count, int version = 0);

// Teaches a text as the server would.
MemoryId Teach(TaughtLog& log, const std::string& text);

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_RETRIEVAL_BANK_H_
