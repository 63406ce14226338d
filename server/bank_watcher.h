// Takes up a newer bank when one takes the place of the one that is served.
//
// Another bank is recognised by the bytes of its MANIFEST, which are the last to be written; it is
// taken up when its epoch is larger and it fits the model and what was taught. One that cannot be
// opened is counted, logged once for every different error, and tried again with growing pauses.
#ifndef MEMORY3_SERVER_BANK_WATCHER_H_
#define MEMORY3_SERVER_BANK_WATCHER_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/log.h"
#include "common/refused_bank.h"
#include "engine/base/clock.h"
#include "engine/memory/bank/bank.h"
#include "engine/memory/bank/taught_log.h"
#include "engine/memory/bank_store.h"

namespace memory3 {

// Read from any thread.
struct BankWatchCounters {
  std::atomic<uint64_t> swaps = 0;
  std::atomic<uint64_t> refusals = 0;  // tries that failed
};

// The bank in `dir`. FailedPrecondition, saying both sides and naming the folder, when it is
// another model's; else as Bank::Open.
absl::StatusOr<std::shared_ptr<const Bank>> OpenFittingBank(const std::filesystem::path& dir,
                                                            const std::string& model_fingerprint,
                                                            const MemoryShape& shape);

// Not thread-safe.
class BankWatcher {
 public:
  // `taught` may be null. Everything passed must outlive the watcher.
  BankWatcher(std::filesystem::path dir, std::string model_fingerprint, BankStore& store,
              TaughtLog* taught, BankWatchCounters& counters, Clock& clock, Logger& log);

  // Looks once, and takes up what is there. Waits for the disk.
  void Look();

 private:
  absl::Status TakeUp(const std::string& manifest);

  const std::filesystem::path dir_;
  const std::string model_fingerprint_;
  BankStore& store_;
  TaughtLog* const taught_;
  BankWatchCounters& counters_;
  Clock& clock_;
  Logger& log_;
  RefusedBank refused_;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_BANK_WATCHER_H_
