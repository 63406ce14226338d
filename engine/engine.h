// The continuous-batching engine: one thread that owns the scheduler, the sequences, the KV blocks
// and the runner.
//
//   M3_ASSIGN_OR_RETURN(auto engine, Engine::Create(options, std::move(runner), tokenizer));
//   M3_ASSIGN_OR_RETURN(Generation generation, engine->Submit(std::move(request)));
//   while (std::optional<GenerationEvent> event = generation.stream->Next()) { ... }
//
// Every method may be called from any thread; none but AwaitIdle and the destructor waits for a
// step. Admission reserves the worst case (prompt + max_tokens) of KV blocks, and slots for the
// memories of chunks_held chunks, before a sequence starts: a running sequence is never preempted
// and admitted work always finishes. What does not
// fit now is queued up to a limit; past it, Submit answers ResourceExhausted at once. Destroying
// the engine cancels what still runs (status Unavailable) and joins the thread.
#ifndef MEMORY3_ENGINE_ENGINE_H_
#define MEMORY3_ENGINE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/base/clock.h"
#include "engine/generation.h"
#include "engine/memory/cold_references.h"
#include "engine/memory/memory_loader.h"
#include "engine/memory/memory_store.h"
#include "engine/memory/retriever.h"
#include "engine/runner/runner.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

// Explicit memory's outer parts, plugged in by the server or a tool; they must outlive the engine.
struct EngineMemory {
  Retriever* retriever = nullptr;
  const MemoryStore* store = nullptr;
  MemoryLoader* loader = nullptr;
  // May be null: a reference without a memory is then a missing one.
  ColdReferences* cold = nullptr;
  // The query leaves this many tokens before its boundary (paper, 7.5: 0); below chunk_tokens.
  int lead_tokens = 0;
  absl::Duration retrieval_timeout = absl::Milliseconds(200);
  // MemoryPolicy::kDeadline: the longest a sequence stands still at one boundary.
  absl::Duration boundary_deadline = absl::Milliseconds(50);
  // MemoryPolicy::kStrict: after so long the request fails with Unavailable.
  absl::Duration strict_timeout = absl::Seconds(30);
  // Chunks of one sequence that may hold slots at once, at least 2: the current one's and the
  // next's. More let a step run a longer piece of a prompt. Admission reserves memories_per_chunk
  // slots for each (for as many as the request has chunks), so the runner needs that many slots
  // for every sequence that is to run.
  int chunks_held = 2;
  uint64_t backoff_seed = 0;  // of the random part of the time between tries; no text depends on it
};

struct EngineOptions {
  int max_queued_requests = 256;
  int64_t max_queued_prompt_tokens = 1 << 20;  // at least the runner's max_context
  // Rows of one step: every decoding sequence first, then prompt pieces. More than the runner's
  // max_batch_rows means those. At most as many sequences run at once, so that each has its row.
  int max_batch_tokens = 256;
  int max_stream_events = 1024;  // a reader this far behind is cut off
  std::vector<int32_t> eos_tokens;
  int max_queued_encodes = 64;         // calls of EncodeReferences that wait
  std::optional<EngineMemory> memory;  // absent: requests with memory are refused
};

// What the engine tells about its work, on the engine thread: implementations must be quick and
// must not block. The server's implementation feeds Prometheus. All calls are optional to override.
class EngineObserver {
 public:
  virtual ~EngineObserver() = default;
  virtual void OnFirstToken(absl::Duration time_to_first_token, absl::Duration queued) {}
  virtual void OnNextToken(absl::Duration inter_token_latency) {}
  // status OK: finished by stop or length.
  virtual void OnFinished(const absl::Status& status, int prompt_tokens, int completion_tokens) {}
  // rows: batch rows of the step, decode_rows of them one per decoding sequence; sequences: those
  // that took part.
  virtual void OnStep(int rows, int decode_rows, int sequences, absl::Duration duration) {}
  // A chunk's memories are settled (see ChunkReport).
  virtual void OnChunk(const ChunkReport& chunk) {}
  // A retrieval call came back, or did not: `queries` texts, after `duration`.
  virtual void OnRetrieval(const absl::Status& status, int queries, absl::Duration duration) {}
  // A completion arrived for a sequence that is gone or has moved on, and was dropped.
  virtual void OnStaleCompletion() {}
};

// A consistent-enough picture for health and metrics, read from atomics: never passes through the
// engine's queue.
struct EngineSnapshot {
  int queued = 0;
  int running = 0;
  int kv_blocks_used = 0;  // reserved by running sequences
  int kv_blocks_total = 0;
  uint64_t steps = 0;
  int failed_steps = 0;  // in a row, up to the last one; each ended the requests of its batch
  absl::Time heartbeat;  // last time round the engine loop; stands still only when a step hangs
  bool draining = false;
  int waiting_for_memory = 0;  // of running
  int memory_slots_used = 0;   // seen by a sequence or meant for one
  int memory_slots_total = 0;
};

struct Generation {
  RequestId id = 0;
  std::shared_ptr<GenerationStream> stream;
};

class Engine {
 public:
  // InvalidArgument names the option that cannot work. `observer` and `clock` may be null; they and
  // the tokenizer must outlive the engine.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(EngineOptions options,
                                                        std::unique_ptr<Runner> runner,
                                                        const Tokenizer& tokenizer,
                                                        EngineObserver* observer = nullptr,
                                                        Clock* clock = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // InvalidArgument (naming the field, see engine/base/field_error.h) for a request that can never
  // run, DeadlineExceeded when its deadline has passed, ResourceExhausted when the queue is full,
  // Unavailable when draining. Requests start in the order of their Submit.
  absl::StatusOr<Generation> Submit(GenerationRequest request);

  // Ends the request, wherever it is, within one step; its stream closes with Cancelled. Unknown
  // and finished ids are fine.
  void Cancel(RequestId id);

  // Encodes references (see Runner::EncodeReferences) on the engine thread, between steps; any
  // number, cut into batches with decoding steps in between. `done` is called once, on the engine
  // thread: quickly, please. InvalidArgument naming a reference, FailedPrecondition for a runner
  // without explicit memory, Unavailable when draining, ResourceExhausted past max_queued_encodes.
  using EncodeDone =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<std::shared_ptr<const MemoryTensor>>>)>;
  absl::Status EncodeReferences(std::vector<std::vector<int32_t>> references, EncodeDone done);

  // Refuses new requests from now on; what was admitted or queued goes on.
  void BeginDrain();
  // True when nothing is left, every stream closed; waits at most `timeout`.
  bool AwaitIdle(absl::Duration timeout);

  EngineSnapshot Snapshot() const;
  const RunnerInfo& runner_info() const;
  const EngineOptions& options() const;

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_ENGINE_H_
