// What one request with explicit memory knows of its chunks: what was asked for, what has come, and
// which slots its rows see. State only: the MemoryDirector decides and acts, the Sequence takes
// rows and hands out reports.
//
// A chunk goes through its stages once: planned, asked for (failed and asked again, perhaps), named
// (its memories are known and on their way to slots), settled. Chunks settle in order, and from
// then on nothing changes what their rows see.
//
// Slots are held for a window of at most `window` chunks, the oldest of which is the one whose rows
// run or ran last. slots_reserved() is what that takes at most; admission reserves it, so that a
// running sequence never waits for another's slots.
#ifndef MEMORY3_ENGINE_SCHED_MEMORY_SESSION_H_
#define MEMORY3_ENGINE_SCHED_MEMORY_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/generation.h"
#include "engine/memory/memory_id.h"
#include "engine/memory/memory_tier.h"
#include "engine/runner/batch.h"
#include "engine/runner/memory_tensor.h"
#include "engine/sched/chunk_plan.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

// One memory named for a chunk, on its way to a slot. Times are the steady clock's.
struct WantedMemory {
  enum class State : uint8_t {
    kWanted,   // to be asked for, not before `retry_at`
    kLoading,  // under way, as `ticket`
    kLoaded,   // in host memory
    kInSlot,   // holds a reference to `slot`
    kMissing,  // cannot be had: `problem`
  };
  MemoryKey key;
  float score = 0;
  State state = State::kWanted;
  MemoryTier tier = MemoryTier::kDevice;
  std::optional<absl::Duration> asked;
  absl::Duration load_time;
  absl::Duration retry_at = -absl::InfiniteDuration();
  int failures = 0;
  uint64_t ticket = 0;
  std::shared_ptr<const MemoryTensor> tensor;
  MemorySlot slot = -1;
  std::string problem;
};

struct SessionChunk {
  enum class Stage : uint8_t { kPlanned, kAsked, kFailed, kNamed, kSettled };
  Stage stage = Stage::kPlanned;
  std::string query;  // until settled: it may have to be asked again

  std::optional<absl::Duration> asked;
  absl::Duration retrieval_time;
  absl::Duration retry_at;  // of kFailed
  int failures = 0;
  absl::Status problem;  // of the newest failure

  uint64_t epoch = 0;
  std::vector<WantedMemory> memories;  // best first; until settled

  // Settled: what the rows see, in the runner's order, and the same for people.
  std::vector<MemorySlot> slots;
  std::vector<ChunkReport::Memory> seen;
  uint64_t seen_epoch = 0;
};

class MemorySession {
 public:
  // `prompt` and `max_tokens` as in the request; decodes the queries of the prompt's chunks.
  // window: at least 2.
  MemorySession(const MemoryRequest& request, absl::Span<const int32_t> prompt, int max_tokens,
                const ChunkPlan& plan, int memories_per_chunk, int window,
                const Tokenizer& tokenizer);

  const ChunkPlan& plan() const { return plan_; }
  const MemoryRequest& request() const { return request_; }
  int memories_per_chunk() const { return memories_per_chunk_; }
  int slots_reserved() const;

  SessionChunk& chunk(int index) { return chunks_[index]; }
  const SessionChunk& chunk(int index) const { return chunks_[index]; }
  // Chunks below this are settled.
  int settled() const { return settled_; }
  // Chunks below this hold no slots (any more); those from window_end() on, none yet.
  int first_held() const { return first_held_; }
  int window_end() const;
  // Chunks whose memories may be loaded ahead into host memory.
  int load_end() const;

  // A token was sampled: the chunk whose query has now been taken and leaves, if one does.
  std::optional<int> TokenSampled(int32_t token, const Tokenizer& tokenizer);

  // Every memory of the chunk is in a slot or cannot be had.
  bool IsReady(int index) const;
  // Chunk settled() is settled, `slots` and `seen` filled in; `report` describes it.
  void Settle(ChunkReport report);
  // The oldest chunk's slots were given back.
  void SlotsReleased() { ++first_held_; }

  // Rows from the next one on, `cached_tokens`, that settled chunks have memories for.
  int RunnableRows(int cached_tokens) const;
  // What those rows see; good until the next call.
  absl::Span<const RowMemories> MemoriesOf(int first_row, int rows);

  // Since when the sequence stands still.
  std::optional<absl::Duration> waiting_since;
  // The director has nothing to do for this sequence before this time, or until it moves on to
  // another chunk than `attended_chunk`.
  absl::Duration attention_at = -absl::InfiniteDuration();
  int attended_chunk = -1;

  void MoveReports(std::vector<ChunkReport>* reports);
  void AddUsage(absl::Duration now, GenerationEvent::Usage* usage) const;

 private:
  std::string QueryText(int chunk, const Tokenizer& tokenizer) const;

  const MemoryRequest request_;
  const ChunkPlan plan_;
  const int memories_per_chunk_;
  const int window_;
  std::vector<int32_t> context_;  // prompt and answer
  const int prompt_tokens_;
  std::vector<SessionChunk> chunks_;
  int settled_ = 0;
  int first_held_ = 0;
  std::vector<RowMemories> row_memories_;
  std::vector<ChunkReport> reports_;  // not handed out yet
  GenerationEvent::Usage usage_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SCHED_MEMORY_SESSION_H_
