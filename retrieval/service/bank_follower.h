// Keeps a snapshot of what can be retrieved up to date: opens a newer bank when one takes the place
// of the old, applies what is taught and deleted.
//
// A bank is recognised as another by the bytes of its MANIFEST, which are the last to be written. A
// new bank that cannot be opened, or carries the epoch of the one that is served, is refused and
// counted; the old one goes on.
#ifndef MEMORY3_RETRIEVAL_SERVICE_BANK_FOLLOWER_H_
#define MEMORY3_RETRIEVAL_SERVICE_BANK_FOLLOWER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/log.h"
#include "common/once_per_text.h"
#include "common/refused_bank.h"
#include "engine/base/clock.h"
#include "engine/base/mutex.h"
#include "engine/memory/bank/taught_log.h"
#include "retrieval/service/options.h"
#include "retrieval/service/retrieval_metrics.h"
#include "retrieval/service/snapshot.h"

namespace memory3 {

// Thread-safe.
class BankFollower {
 public:
  // Everything passed must outlive the follower.
  BankFollower(const RetrievalOptions& options, RetrievalMetrics& metrics, Logger& log);

  // Null before the first bank was opened. Never waits for a Poll.
  std::shared_ptr<const Snapshot> snapshot() const;

  // Looks at bank and log. OK when all that is there is in the snapshot now; else why not, and the
  // snapshot holds what was good. A bank that was refused is tried again at once when `again`, else
  // with growing pauses.
  absl::Status Poll(bool again);

 private:
  absl::StatusOr<std::shared_ptr<Snapshot>> OpenBank(const std::filesystem::path& dir,
                                                     std::string manifest) const;
  // Null: nothing new.
  absl::StatusOr<std::shared_ptr<Snapshot>> NextBank(const Snapshot* current, bool again)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(poll_mutex_);
  // True when there was anything new.
  absl::StatusOr<bool> ReadLog(const std::string& model_fingerprint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(poll_mutex_);
  absl::Status EmbedTaught(const Embedder& embedder) ABSL_EXCLUSIVE_LOCKS_REQUIRED(poll_mutex_);
  void ApplyLog(Snapshot& snapshot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(poll_mutex_);
  void Publish(std::shared_ptr<const Snapshot> snapshot);
  void WarnOnce(const char* what, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(poll_mutex_);

  const RetrievalOptions& options_;
  RetrievalMetrics& metrics_;
  Logger& log_;
  const RealClock clock_;

  Mutex poll_mutex_;  // one poll at a time
  TaughtLogReader reader_ ABSL_GUARDED_BY(poll_mutex_);
  uint64_t log_entries_ ABSL_GUARDED_BY(poll_mutex_) = 0;
  // By id; vectors by the embedder of the bank that is served, empty until it has seen them.
  std::map<MemoryId, std::shared_ptr<const TaughtReference>> taught_ ABSL_GUARDED_BY(poll_mutex_);
  absl::flat_hash_set<MemoryKey> deleted_ ABSL_GUARDED_BY(poll_mutex_);
  RefusedBank refused_ ABSL_GUARDED_BY(poll_mutex_);
  OncePerText warnings_ ABSL_GUARDED_BY(poll_mutex_);

  mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_SERVICE_BANK_FOLLOWER_H_
