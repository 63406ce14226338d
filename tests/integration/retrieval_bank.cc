#include "tests/integration/retrieval_bank.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/memory/bank/manifest.h"
#include "retrieval/index/build_index.h"

namespace memory3 {
namespace {

constexpr int kDimensions = 256;
constexpr size_t kRecordBytes = 4096;

}  // namespace

MemoryShape SmallShape() {
  return {.layers = 1, .kv_heads = 1, .kept_tokens = 1, .head_dim = 8, .dtype = DType::kF32};
}

void PublishBank(const std::filesystem::path& dir, uint64_t epoch,
                 const std::vector<std::string>& texts, const std::string& fingerprint) {
  const std::filesystem::path building = dir.string() + ".building";
  IndexBuildOptions options;
  options.embedder.lexical_dimensions = kDimensions;
  M3_CHECK(BuildRetrievalIndex(
               options, static_cast<int64_t>(texts.size()),
               [&](int64_t i) { return texts[static_cast<size_t>(i)]; }, building / kIndexFolder)
               .ok());
  BankManifest manifest;
  manifest.epoch = epoch;
  manifest.model_fingerprint = fingerprint;
  manifest.shape = SmallShape();
  manifest.record_bytes = kRecordBytes;
  manifest.count = static_cast<int64_t>(texts.size());
  manifest.records_per_file = 1;
  manifest.embedder = absl::StrCat("lexical-", kDimensions);
  std::ofstream(building / kManifestFile) << FormatManifest(manifest);
  std::filesystem::rename(building, dir);
}

std::vector<std::string> BankTexts(int count, int version) {
  constexpr const char* kSubjects[] = {"lighthouse", "orchard", "railway", "volcano", "library"};
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    texts.push_back(absl::StrCat("The ", kSubjects[i % 5], " in district ", 100 + i,
                                 " was finished in the year ", 1500 + version * 100 + i, "."));
  }
  return texts;
}

MemoryId Teach(TaughtLog& log, const std::string& text) {
  const std::vector<uint8_t> record(kRecordBytes);
  const absl::StatusOr<MemoryId> id = log.Add({.text = text}, 1, record);
  M3_CHECK(id.ok());
  return *id;
}

}  // namespace memory3
