// memory3-bank verify, stats, show and search: what is in a bank.
#include <cstdio>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/bank.h"
#include "retrieval/index/retrieval_index.h"
#include "tools/bank_commands.h"

ABSL_FLAG(std::string, embedder_dir, "",
          "Hugging Face folder of the transformer embedder, for banks that were built with one.");
ABSL_FLAG(int, limit, 5, "search: references to show.");

namespace memory3 {
namespace {

absl::StatusOr<std::shared_ptr<const RetrievalIndex>> OpenIndex(const Bank& bank) {
  IndexOpenOptions options;
  options.embedder.model_dir = absl::GetFlag(FLAGS_embedder_dir);
  return RetrievalIndex::Open(bank.index_dir(), options);
}

void PrintReference(MemoryId id, const ReferenceText& reference) {
  std::printf("id: %llu\n", static_cast<unsigned long long>(id));
  if (!reference.title.empty()) std::printf("title: %s\n", reference.title.c_str());
  if (!reference.source.empty()) std::printf("source: %s\n", reference.source.c_str());
  if (!reference.source_id.empty()) std::printf("source_id: %s\n", reference.source_id.c_str());
  std::printf("tokens: %d\n%s\n", reference.tokens, reference.text.c_str());
}

}  // namespace

absl::Status BankVerify(const std::string& path) {
  M3_ASSIGN_OR_RETURN(const std::shared_ptr<const Bank> bank, Bank::Open(path));
  M3_RETURN_IF_ERROR(bank->Verify());
  M3_ASSIGN_OR_RETURN(const auto index, OpenIndex(*bank));
  if (index->count() != bank->count()) {
    return absl::DataLossError(absl::StrCat(bank->index_dir().string(), ": holds ", index->count(),
                                            " references, the bank ", bank->count()));
  }
  std::printf("%s: %lld references, every byte as written\n", path.c_str(),
              static_cast<long long>(bank->count()));
  return absl::OkStatus();
}

absl::Status BankStats(const std::string& path) {
  M3_ASSIGN_OR_RETURN(const std::shared_ptr<const Bank> bank, Bank::Open(path));
  const BankManifest& manifest = bank->manifest();
  int64_t tokens = 0, cold = 0, bytes = 0;
  int longest = 0;
  for (MemoryId id = 0; id < static_cast<uint64_t>(bank->count()); ++id) {
    M3_ASSIGN_OR_RETURN(const ReferenceText reference, bank->Text(id));
    tokens += reference.tokens;
    longest = std::max(longest, reference.tokens);
    if (!bank->Place(id).ok()) ++cold;
  }
  for (const BankFile& file : manifest.files) bytes += file.bytes;
  const auto count = static_cast<double>(std::max<int64_t>(1, bank->count()));
  std::printf("epoch              %llu\n", static_cast<unsigned long long>(manifest.epoch));
  std::printf("references         %lld\n", static_cast<long long>(bank->count()));
  std::printf("without a memory   %lld\n", static_cast<long long>(cold));
  std::printf("tokens             %lld, %.1f on average, %d at most\n",
              static_cast<long long>(tokens), static_cast<double>(tokens) / count, longest);
  std::printf("memories           %s\n", Describe(manifest.shape).c_str());
  std::printf("bytes per memory   %lld\n", static_cast<long long>(manifest.record_bytes));
  std::printf("bytes in all       %lld\n", static_cast<long long>(bytes));
  std::printf("model fingerprint  %s\n", manifest.model_fingerprint.c_str());
  std::printf("embedder           %s\n", manifest.embedder.c_str());
  return absl::OkStatus();
}

absl::Status BankShow(const std::string& path, const std::string& id_text) {
  uint64_t id = 0;
  if (!absl::SimpleAtoi(id_text, &id)) {
    return absl::InvalidArgumentError(absl::StrCat("ID must be a number, got ", id_text));
  }
  M3_ASSIGN_OR_RETURN(const std::shared_ptr<const Bank> bank, Bank::Open(path));
  M3_ASSIGN_OR_RETURN(const ReferenceText reference, bank->Text(id));
  PrintReference(id, reference);
  return absl::OkStatus();
}

absl::Status BankSearch(const std::string& path, const std::string& text) {
  if (absl::GetFlag(FLAGS_limit) < 1) {
    return absl::InvalidArgumentError("--limit: must be positive");
  }
  M3_ASSIGN_OR_RETURN(const std::shared_ptr<const Bank> bank, Bank::Open(path));
  M3_ASSIGN_OR_RETURN(const auto index, OpenIndex(*bank));
  const std::string_view query = text;
  M3_ASSIGN_OR_RETURN(const auto results, index->Search({&query, 1}, absl::GetFlag(FLAGS_limit)));
  for (const ScoredId& found : results.front()) {
    M3_ASSIGN_OR_RETURN(const ReferenceText reference, bank->Text(found.id));
    std::printf("score: %.4f\n", found.score);
    PrintReference(found.id, reference);
    std::printf("\n");
  }
  return absl::OkStatus();
}

}  // namespace memory3
