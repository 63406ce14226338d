// One admitted or waiting request: what was asked, where it stands, and what it holds. Owned by
// the engine thread once it was taken from the inbox.
#ifndef MEMORY3_ENGINE_SCHED_SEQUENCE_H_
#define MEMORY3_ENGINE_SCHED_SEQUENCE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/generation.h"
#include "engine/runner/batch.h"
#include "engine/sched/answer.h"
#include "engine/sched/memory_session.h"
#include "engine/sched/sequence_state.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

// Times are the steady clock's.
class Sequence {
 public:
  // `request` is valid, its suppressed_until_min filled in. `stop_ids` (sorted) end the answer.
  // `memory` is null for a plain decoder. The tokenizer must outlive the sequence.
  Sequence(RequestId id, GenerationRequest request, std::vector<int32_t> stop_ids,
           std::shared_ptr<GenerationStream> stream, const Tokenizer& tokenizer,
           absl::Duration submitted, absl::Duration deadline,
           std::unique_ptr<MemorySession> memory = nullptr);

  // Set by any thread; the engine thread looks once per step.
  struct CancelFlag {
    std::atomic<bool> set = false;
  };

  const RequestId id;
  const GenerationRequest request;
  const std::vector<int32_t> stop_ids;
  const std::shared_ptr<GenerationStream> stream;
  const std::shared_ptr<CancelFlag> cancel = std::make_shared<CancelFlag>();
  const absl::Duration submitted;
  const absl::Duration deadline;
  const std::unique_ptr<MemorySession> memory;

  SequenceState state() const { return lifecycle_.state(); }
  int prompt_tokens() const { return static_cast<int>(request.prompt.size()); }
  // Tokens in the KV cache when the answer has its full length: what admission reserves.
  int worst_case_tokens() const { return prompt_tokens() + request.max_tokens; }
  // Slots for memories that admission reserves.
  int memory_slots() const { return memory != nullptr ? memory->slots_reserved() : 0; }
  int generated() const { return generated_; }
  // The rows that have run, or are in a step that was started: the index of the next one.
  int cached_tokens() const { return cached_tokens_; }
  // Whether the answer may need another row, as far as is known: tokens that started steps will
  // sample count as generated.
  bool WantsRows() const { return generated_ + tokens_to_come_ < request.max_tokens; }
  bool IsStopId(int32_t token) const;

  // From kQueued, with the slot and the blocks in `slot` and `blocks`.
  void BeginPrefill();
  bool was_admitted() const { return was_admitted_; }

  // Leaves the batch at a chunk boundary, and joins it again.
  void WaitForMemory() { lifecycle_.MoveTo(SequenceState::kWaitingForMemory); }
  void GoOn();

  // The row or rows of the next step, at most `max_rows`, as views into this sequence. With memory,
  // none whose chunk is not settled.
  BatchSequence NextRows(int max_rows);
  // Those rows are in the KV cache, or in a step that was started; with `sample`, that step samples
  // a token. Until that is known, kSampledToken is the input of the next step.
  void RowsStarted(int rows, bool sample);

  // A token was sampled, in the order of the steps: it is the input of the next step unless that
  // was started already; its text goes into *piece, which says so when the answer has come to its
  // end.
  void TokenSampled(TokenInfo token, absl::Duration now, GenerationEvent* piece);

  // The outcome: finish (in `last`) or a status that is not OK.
  void End(GenerationEvent last);
  void End(absl::Status status);
  bool finished() const { return lifecycle_.Is(SequenceState::kFinished); }
  // The last event with its usage; once, after End.
  GenerationEvent TakeLastEvent(absl::Duration now);

  // Held from admission to the end; -1 and empty otherwise.
  SequenceSlot slot = -1;
  std::vector<KvBlockId> blocks;

  // When its first rows were put in a batch, and when tokens came.
  std::optional<absl::Duration> first_step;
  std::optional<absl::Duration> first_token;
  absl::Duration last_token;

 private:
  SequenceLifecycle lifecycle_;
  bool was_admitted_ = false;
  Answer answer_;
  int cached_tokens_ = 0;
  int generated_ = 0;
  int tokens_to_come_ = 0;  // of steps that were started
  int32_t next_input_ = 0;  // while decoding: the newest token, not in the KV cache yet
  GenerationEvent last_event_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SCHED_SEQUENCE_H_
