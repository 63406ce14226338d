#include "server/bank_watcher.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/manifest.h"

namespace memory3 {

absl::StatusOr<std::shared_ptr<const Bank>> OpenFittingBank(const std::filesystem::path& dir,
                                                            const std::string& model_fingerprint,
                                                            const MemoryShape& shape) {
  M3_ASSIGN_OR_RETURN(std::shared_ptr<const Bank> bank, Bank::Open(dir));
  const absl::Status fits = CheckBankFitsModel(bank->manifest(), model_fingerprint, shape);
  if (fits.ok()) return bank;
  return absl::Status(fits.code(), absl::StrCat(dir.string(), ": ", fits.message()));
}

BankWatcher::BankWatcher(std::filesystem::path dir, std::string model_fingerprint, BankStore& store,
                         TaughtLog* taught, BankWatchCounters& counters, Clock& clock, Logger& log)
    : dir_(std::move(dir)),
      model_fingerprint_(std::move(model_fingerprint)),
      store_(store),
      taught_(taught),
      counters_(counters),
      clock_(clock),
      log_(log) {}

void BankWatcher::Look() {
  absl::StatusOr<std::string> manifest = ReadFile(dir_ / kManifestFile, kMaxManifestBytes);
  // While one folder is put in another's place there may be none for a moment.
  if (absl::IsNotFound(manifest.status())) return;
  const std::string text = manifest.ok() ? *std::move(manifest) : std::string();
  const absl::Duration now = clock_.Steady();
  if (!refused_.IsDue(text, now)) return;
  const absl::Status taken = manifest.ok() ? TakeUp(text) : manifest.status();
  if (taken.ok()) return refused_.Clear();
  ++counters_.refusals;
  if (refused_.Refuse(text, taken, now)) {
    log_.Error("the new bank is not taken up", {{"error", taken.message()}});
  }
}

absl::Status BankWatcher::TakeUp(const std::string& text) {
  M3_ASSIGN_OR_RETURN(const BankManifest manifest,
                      ParseManifest(text, (dir_ / kManifestFile).string()));
  const uint64_t epoch = store_.epoch();
  if (manifest.epoch <= epoch) return absl::OkStatus();
  M3_ASSIGN_OR_RETURN(std::shared_ptr<const Bank> bank,
                      OpenFittingBank(dir_, model_fingerprint_, store_.shape()));
  if (bank->manifest().epoch <= epoch) return absl::OkStatus();  // replaced meanwhile
  if (taught_ != nullptr) M3_RETURN_IF_ERROR(taught_->Bind(bank->manifest()));
  log_.Info("bank swapped", {{"from_epoch", static_cast<int64_t>(epoch)},
                             {"to_epoch", static_cast<int64_t>(bank->manifest().epoch)},
                             {"references", bank->count()}});
  store_.Swap(std::move(bank));
  ++counters_.swaps;
  return absl::OkStatus();
}

}  // namespace memory3
