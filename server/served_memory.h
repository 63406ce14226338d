// Everything behind explicit memory in a server: banks, taught references, reader, loader, the
// client of the retrieval sidecar.
#ifndef MEMORY3_SERVER_SERVED_MEMORY_H_
#define MEMORY3_SERVER_SERVED_MEMORY_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/log.h"
#include "common/work_queue.h"
#include "engine/base/clock.h"
#include "engine/base/wake_signal.h"
#include "engine/engine.h"
#include "engine/memory/bank/bank.h"
#include "engine/memory/bank/taught_log.h"
#include "engine/memory/bank_store.h"
#include "engine/memory/cold_references.h"
#include "engine/memory/memory_loader.h"
#include "engine/memory/memory_reader.h"
#include "engine/text/tokenizer.h"
#include "server/bank_watcher.h"
#include "server/options.h"
#include "server/retrieval_client.h"

namespace memory3 {

// Thread-safe once started. Must outlive the engine that uses it.
class ServedMemory : public ColdReferences {
 public:
  struct Model {
    std::string fingerprint;
    MemoryShape shape;
    int memories_per_chunk = 0;
    int reference_tokens = 0;
    const Tokenizer* tokenizer = nullptr;  // outlives the memory
  };
  // Opens the bank and what was taught. FailedPrecondition, saying both sides, when they are
  // another model's; errors name file or flag. The sidecar is not waited for.
  static absl::StatusOr<std::unique_ptr<ServedMemory>> Open(const MemoryOptions& options,
                                                            const Model& model);
  ~ServedMemory() override;

  EngineMemory ForEngine();
  // Looks for a newer bank once a second from now on, and takes it up when it fits. `log` must
  // outlive the memory.
  void WatchBank(Logger& log);

  BankStore& store() { return *store_; }
  const BankStore& store() const { return *store_; }
  TaughtLog* taught() const { return taught_.get(); }  // null: nothing can be taught
  MemoryLoader& loader() { return *loader_; }
  const MemoryLoader& loader() const { return *loader_; }
  RetrievalClient& retrieval() { return *retrieval_; }
  const RetrievalClient& retrieval() const { return *retrieval_; }
  const Model& model() const { return model_; }
  const BankWatchCounters& bank_watch() const { return bank_watch_; }
  const std::string& reader_summary() const { return reader_summary_; }
  const MemoryOptions& options() const { return options_; }

  // ColdReferences: reads, and writes what was encoded, on a thread of its own.
  void Tokens(const MemoryKey& key, TokensDone done) override;
  void Keep(const MemoryKey& key, std::shared_ptr<const MemoryTensor> memory) override;

 private:
  ServedMemory(const MemoryOptions& options, const Model& model)
      : options_(options), model_(model), disk_work_(1, kMaxDiskWork) {}
  absl::Status Start();

  static constexpr int kMaxDiskWork = 1024;

  const MemoryOptions options_;
  const Model model_;
  std::shared_ptr<TaughtLog> taught_;
  std::unique_ptr<BankStore> store_;
  std::unique_ptr<MemoryReader> reader_;
  std::string reader_summary_;
  std::unique_ptr<MemoryLoader> loader_;
  std::unique_ptr<RetrievalClient> retrieval_;
  WorkQueue disk_work_;

  RealClock clock_;
  BankWatchCounters bank_watch_;
  WakeSignal stop_watching_;
  std::atomic<bool> stopping_ = false;
  std::thread watcher_;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_SERVED_MEMORY_H_
