// The 64-token loop (Memory³ paper, 3.1 and 7.5) on the engine thread: sends queries at their
// points, has memories loaded into slots, and decides at every chunk boundary whether a sequence
// goes on, waits or fails, as its policy says.
//
//   strict    waits, asking again what failed, until strict_timeout: then Unavailable. Ids of a
//             bank that is not open (just closed, or not yet taken up) count as a failed retrieval.
//             What cannot come by waiting (no such memory, a damaged record) the chunk goes on
//             without.
//   deadline  waits boundary_deadline at most, and not at all for a retrieval that failed; then the
//             chunk goes on with the memories of the chunk before it.
//   required  under either: a memory that is missing or late is Unavailable.
//
// Fewer memories than memories_per_chunk, or none, are as good an answer as any.
//
// A chunk's memories are the same however they came and whenever: the retriever's order, without
// duplicates, without those that cannot be had. So under strict nothing that is timing reaches the
// text.
#ifndef MEMORY3_ENGINE_MEMORY_DIRECTOR_H_
#define MEMORY3_ENGINE_MEMORY_DIRECTOR_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/base/clock.h"
#include "engine/encode_queue.h"
#include "engine/engine.h"
#include "engine/memory_calls.h"
#include "engine/retry_backoff.h"
#include "engine/runner/runner.h"
#include "engine/sched/sequence.h"
#include "engine/sched/slot_table.h"

namespace memory3 {

// Queries in one call of the retriever; a longer prompt's go in several.
inline constexpr int kMaxQueriesPerRetrieval = 64;

// Sequences given to it have a MemorySession. Not thread-safe (the engine thread's); no call waits.
class MemoryDirector {
 public:
  // Everything passed must outlive the director.
  MemoryDirector(const EngineMemory& memory, Runner& runner, const Tokenizer& tokenizer,
                 EncodeQueue& encodes, EngineObserver& observer, Clock& clock, WakeSignal& wake);

  // The sequence was admitted: the queries of its prompt leave.
  void Begin(Sequence& sequence);
  // It is about to go: its slots are given back, its calls given up.
  void Forget(Sequence& sequence);
  // A token was sampled and the answer goes on: a query leaves when its point is reached.
  void TokenSampled(Sequence& sequence, int32_t token);

  // Takes what has come back. Then Advance every running sequence.
  void TakeArrived();
  // Settles what can be settled; lets the sequence wait, go on, or ends it.
  void Advance(Sequence& sequence, absl::Duration now);

  // When TakeArrived has something to do though nothing has come, on the steady clock.
  absl::Duration NextOverdue() const { return calls_.NextOverdue(); }

  int slots_used() const { return slots_.referenced(); }

 private:
  using Load = MemoryCalls::Load;
  using Retrieval = MemoryCalls::Retrieval;

  void Ask(Sequence& sequence, int first_chunk, int chunks);
  void AskAgain(Sequence& sequence, absl::Duration now);
  void Retrieved(const Retrieval& what, absl::StatusOr<RetrievalAnswer> answer);

  void ReleaseSeen(MemorySession& session, int next);
  void FetchMemories(Sequence& sequence, absl::Duration now);
  // False: the bank that the memory was named for was closed; under strict alone.
  [[nodiscard]] bool Fetch(const Load& what, bool into_slot, absl::Duration now);
  bool IsOutdated(const MemorySession& session, const MemoryKey& key,
                  const absl::Status& found) const;
  void FillSlot(WantedMemory& memory);
  void Loaded(const Load& what, LoadedMemory loaded);

  // Settles the next chunk, or ends the sequence: then true.
  bool SettleNext(Sequence& sequence, int next, absl::Duration now);
  void SettleReady(MemorySession& session, absl::Duration now);
  void SettleLate(MemorySession& session, std::string why, absl::Duration now);
  void Settle(MemorySession& session, ChunkReport report, absl::Duration now);
  void DropMemories(SessionChunk& chunk);
  absl::Duration WaitLimit(const MemorySession& session) const;
  absl::Duration NextAttention(const MemorySession& session) const;

  const EngineMemory& memory_;
  Runner& runner_;
  const Tokenizer& tokenizer_;
  EngineObserver& observer_;
  Clock& clock_;
  SlotTable slots_;
  MemoryCalls calls_;
  RetryBackoff backoff_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_DIRECTOR_H_
