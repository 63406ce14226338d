// Decides who runs: admission by worst case, and the batch of every step.
//
// Admission is strictly first come, first served. The head of the queue waits until a slot, all KV
// blocks of its worst case (prompt + max_tokens) and, with explicit memory, the memory slots of its
// window of chunks (MemorySession) are free, and nobody overtakes it: a large
// request delays small ones behind it, but cannot starve, since admitted sequences always end. A
// sequence keeps its reservation until its end, so nothing is ever preempted, swapped or computed
// twice.
//
// A step takes one row of every decoding sequence first, so that running streams never stall behind
// a prompt, and fills the rest of the token budget with prompt pieces in order of admission
// (chunked prefill). At most as many sequences run as the budget has rows, so every decoding
// sequence has a row in every step, but for those whose last token is on its way already. None of
// this changes a result: runners are batch-invariant.
//
// Not thread-safe (the engine thread's). BuildStep allocates nothing once warm.
#ifndef MEMORY3_ENGINE_SCHED_SCHEDULER_H_
#define MEMORY3_ENGINE_SCHED_SCHEDULER_H_

#include <deque>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "engine/runner/batch.h"
#include "engine/runner/runner.h"
#include "engine/sched/id_pool.h"
#include "engine/sched/sequence.h"

namespace memory3 {

// The work of one step. members[i] is the sequence behind batch.sequences[i]; the engine loop sets
// it to null when the sequence goes while the step is on its way.
struct StepPlan {
  Batch batch;
  std::vector<Sequence*> members;
  int rows = 0;
  int decode_rows = 0;
};

// KV blocks that `tokens` tokens of one sequence take.
int KvBlocksFor(int tokens, const RunnerInfo& info);

class Scheduler {
 public:
  // 0 < max_batch_tokens <= info.max_batch_rows.
  Scheduler(const RunnerInfo& info, int max_batch_tokens);

  // The sequence's worst case fits an empty KV cache and the runner's memory slots.
  void Enqueue(std::unique_ptr<Sequence> sequence);

  // Gives slots and blocks to queued sequences, oldest first, until one does not fit; `admitted` is
  // called with each.
  void Admit(absl::FunctionRef<void(Sequence&)> admitted);

  // Overwrites *plan. Its views are good until the next call that changes this scheduler.
  void BuildStep(StepPlan* plan);

  void ForEach(absl::FunctionRef<void(Sequence&)> visit);
  // Those that are admitted, the oldest first.
  void ForEachRunning(absl::FunctionRef<void(Sequence&)> visit);
  // Appends every finished sequence to *finished and gives its slot and blocks back. `removed` is
  // called before that with each that has a slot.
  void RemoveFinished(absl::FunctionRef<void(Sequence&)> removed,
                      std::vector<std::unique_ptr<Sequence>>* finished);

  int queued() const { return static_cast<int>(queue_.size()); }
  int running() const { return static_cast<int>(running_.size()); }
  int kv_blocks_used() const { return blocks_.used(); }
  int waiting_for_memory() const;
  int memory_slots_reserved() const { return memory_slots_reserved_; }
  // The earliest time at which a deadline passes or a sequence wants its memories looked after;
  // infinite when there is none.
  absl::Duration NextDeadline() const;

 private:
  bool TryAdmit(Sequence& sequence);
  void Plan(Sequence& sequence, int max_rows, StepPlan* plan);

  const RunnerInfo& info_;
  const int max_batch_tokens_;
  const int max_running_;
  IdPool slots_;
  IdPool blocks_;
  int memory_slots_reserved_ = 0;
  std::deque<std::unique_ptr<Sequence>> queue_;
  std::vector<std::unique_ptr<Sequence>> running_;  // in order of admission
  std::vector<int32_t> taken_slot_;                 // scratch
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SCHED_SCHEDULER_H_
