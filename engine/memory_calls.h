// The engine thread's calls to the retriever and the loader, and what became of them. Every call
// has a ticket; what comes back for a ticket that was given up (its sequence is gone or has moved
// on, or it came too late) is dropped and counted. No ticket of a retrieval outlives its timeout by
// more than kRetrievalGrace, whatever the retriever does.
#ifndef MEMORY3_ENGINE_MEMORY_CALLS_H_
#define MEMORY3_ENGINE_MEMORY_CALLS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/base/clock.h"
#include "engine/cold_start.h"
#include "engine/encode_queue.h"
#include "engine/engine.h"
#include "engine/memory_mailbox.h"
#include "engine/sched/sequence.h"

namespace memory3 {

// A retriever ends its calls with their timeout; one that does not has them ended so much later.
inline constexpr absl::Duration kRetrievalGrace = absl::Milliseconds(100);

// Ids were named for a bank that is not open: to be asked for again.
absl::Status BankNotOpenError(uint64_t epoch);

// Not thread-safe (the engine thread's); nothing here waits.
class MemoryCalls {
 public:
  // The chunks whose queries went in one call: [first_chunk, first_chunk + chunks).
  struct Retrieval {
    Sequence* sequence = nullptr;
    int first_chunk = 0;
    int chunks = 0;
  };
  // memories[index] of a chunk.
  struct Load {
    Sequence* sequence = nullptr;
    int chunk = 0;
    int index = 0;
  };

  // Everything passed must outlive this; callbacks may come later still.
  MemoryCalls(const EngineMemory& memory, Runner& runner, EncodeQueue& encodes,
              EngineObserver& observer, Clock& clock, WakeSignal& wake);
  ~MemoryCalls() { mailbox_->Close(); }
  MemoryCalls(const MemoryCalls&) = delete;
  MemoryCalls& operator=(const MemoryCalls&) = delete;

  void Retrieve(const Retrieval& what, std::vector<std::string> queries);
  CallTicket LoadMemory(const Load& what, const MemoryKey& key);

  void GiveUpLoad(CallTicket ticket) { loads_.erase(ticket); }
  // The sequence is about to go.
  void GiveUpAll(const Sequence& sequence);
  // An answer came for a chunk that had been given up, in a call that had not.
  void CountStale() { observer_.OnStaleCompletion(); }

  using OnRetrieved = absl::FunctionRef<void(const Retrieval&, absl::StatusOr<RetrievalAnswer>)>;
  using OnLoaded = absl::FunctionRef<void(const Load&, LoadedMemory)>;
  // Hands over everything that has come back, what comes in meanwhile included. An answer with the
  // wrong number of results, or with ids of a bank that is not open here, is an error. The handlers
  // may make calls. Ends overdue retrievals with DeadlineExceeded.
  void TakeArrived(OnRetrieved on_retrieved, OnLoaded on_loaded);
  // When the oldest retrieval is overdue, on the steady clock.
  absl::Duration NextOverdue() const;

 private:
  struct RetrievalUnderWay {
    Retrieval what;  // sequence null: given up
    absl::Duration sent;
  };

  absl::Duration OverdueAt(const RetrievalUnderWay& call) const {
    return call.sent + memory_.retrieval_timeout + kRetrievalGrace;
  }
  void EndOverdue(OnRetrieved handler);
  void End(const RetrievalUnderWay& call, absl::StatusOr<RetrievalAnswer> answer,
           OnRetrieved handler);
  absl::Status CheckAnswer(const RetrievalAnswer& answer, int queries) const;
  void Take(RetrievalCameBack mail, OnRetrieved handler);
  void Take(LoadCameBack mail, OnLoaded handler);

  const EngineMemory& memory_;
  EngineObserver& observer_;
  Clock& clock_;
  const std::shared_ptr<MemoryMailbox> mailbox_;
  ColdStart cold_start_;
  CallTicket next_ticket_ = 1;
  std::map<CallTicket, RetrievalUnderWay> retrievals_;  // oldest first
  absl::flat_hash_map<CallTicket, Load> loads_;
  std::vector<MemoryMail> arrived_;  // scratch
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_CALLS_H_
