// Where retrievals and loads come back to the engine thread.
//
// Callbacks hold the mailbox by shared_ptr, since a call may come back after its sequence, and even
// after the engine, is gone; Close cuts the tie to the engine. Nothing is ever refused or lost: the
// mailbox holds at most one item for every call that was made, and calls are limited where they are
// made (chunks of a session's window, the loader's max_loads).
#ifndef MEMORY3_ENGINE_MEMORY_MAILBOX_H_
#define MEMORY3_ENGINE_MEMORY_MAILBOX_H_

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "engine/base/mutex.h"
#include "engine/base/wake_signal.h"
#include "engine/memory/memory_id.h"
#include "engine/memory/memory_loader.h"
#include "engine/memory/retriever.h"

namespace memory3 {

// Generation number of a call: never used twice, so that what comes back cannot be taken for the
// answer to another one.
using CallTicket = uint64_t;

struct RetrievalCameBack {
  CallTicket ticket = 0;
  absl::StatusOr<RetrievalAnswer> answer;
};
struct LoadCameBack {
  CallTicket ticket = 0;
  LoadedMemory loaded;
};
struct ColdTokensCameBack {
  MemoryKey key;
  absl::StatusOr<std::vector<int32_t>> tokens;
};
using MemoryMail = std::variant<RetrievalCameBack, LoadCameBack, ColdTokensCameBack>;

// Thread-safe.
class MemoryMailbox {
 public:
  // The signal must live until Close.
  explicit MemoryMailbox(WakeSignal& wake) : wake_(&wake) {}

  // Wakes the engine thread. Dropped after Close.
  void Post(MemoryMail mail) {
    MutexLock lock(mutex_);
    if (wake_ == nullptr) return;
    mail_.push_back(std::move(mail));
    wake_->Set();
  }

  // Replaces *mail by what came since the last call, oldest first. False when nothing did.
  [[nodiscard]] bool Take(std::vector<MemoryMail>* mail) {
    mail->clear();
    MutexLock lock(mutex_);
    std::swap(*mail, mail_);
    return !mail->empty();
  }

  void Close() {
    MutexLock lock(mutex_);
    wake_ = nullptr;
    mail_.clear();
  }

 private:
  Mutex mutex_;
  WakeSignal* wake_ ABSL_GUARDED_BY(mutex_);
  std::vector<MemoryMail> mail_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_MAILBOX_H_
