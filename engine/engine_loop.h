// What the engine thread does, step by step: takes new requests, drops cancelled and late ones,
// admits, applies the memories that have come, runs one batch, hands tokens to the streams, and
// encodes a batch of references. Without a thread of its own, so that a
// test can take one step at a time.
//
// With a runner that runs ahead (RunnerInfo::runs_ahead) a step is started before the result of the
// one before is there: the device finds its next step waiting while the host handles tokens. The
// price: a sequence that ends by what it said has taken part in one step more, of which nobody sees
// the result. What it held is free for others all the same, for their steps run behind that one.
//
// Every sequence that ends, for whatever reason, is freed (slot, KV blocks, runner state) before
// the step that found out returns, and before its stream closes.
//
// Once warm, a step allocates only the pieces it sends (their token lists, and strings that are
// longer than a short string) and, at chunk boundaries, queries and their answers.
#ifndef MEMORY3_ENGINE_ENGINE_LOOP_H_
#define MEMORY3_ENGINE_ENGINE_LOOP_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/clock.h"
#include "engine/encode_queue.h"
#include "engine/engine.h"
#include "engine/inbox.h"
#include "engine/memory_director.h"
#include "engine/runner/runner.h"
#include "engine/sched/scheduler.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

// Written by the engine thread, read by any.
struct EngineCounters {
  std::atomic<int> running = 0;
  std::atomic<int> kv_blocks_used = 0;
  std::atomic<uint64_t> steps = 0;
  std::atomic<int> failed_steps = 0;               // in a row
  std::atomic<int64_t> heartbeat_nanoseconds = 0;  // steady clock
  std::atomic<int> waiting_for_memory = 0;
  std::atomic<int> memory_slots_used = 0;
};

class EngineLoop {
 public:
  // Everything passed must outlive the loop.
  EngineLoop(const EngineOptions& options, Runner& runner, const Tokenizer& tokenizer,
             EngineObserver& observer, Clock& clock, WakeSignal& wake, Inbox& inbox,
             EngineCounters& counters);

  // One time round. False when there was nothing to run: the thread may then sleep until something
  // arrives (requests, cancels, memories: all set the wake signal), or until NextDeadline().
  bool Step();
  absl::Duration NextDeadline() const;

  // Ends every sequence, queued and running, and every encode.
  void EndAll(const absl::Status& status);

 private:
  void TakeArrived();
  void DropCancelledAndLate();
  void AdmitQueued();
  void ApplyMemories();
  void EncodeBatch(bool beside_streams);

  // A step on its way through the runner.
  struct RunningStep {
    StepPlan plan;
    absl::Duration began;
  };
  void MarkBegin(RunningStep& step);
  void Run(const RunningStep& step);
  // Run in two halves. The second is for the oldest step that was started.
  void StartAhead(const RunningStep& step);
  void FinishStarted();
  // Every member's rows are in the cache or on their way.
  static void MarkRows(const RunningStep& step);
  // The runner is done with the step: tokens to the streams, or its error to all members.
  void Conclude(const RunningStep& step, absl::Status status);
  // The runner's answer fits the plan: a token of the vocabulary for every sequence that asked.
  absl::Status CheckOutput(const StepPlan& plan) const;
  void DeliverTokens(const StepPlan& plan, absl::Duration now);
  void DeliverToken(Sequence& sequence, const SampledToken& sampled, absl::Duration now);
  TokenInfo MakeTokenInfo(const SampledToken& sampled) const;
  void RemoveFinished();
  void CloseStream(Sequence& sequence);
  void PublishCounters();

  Runner& runner_;
  const Tokenizer& tokenizer_;
  EngineObserver& observer_;
  Clock& clock_;
  Inbox& inbox_;
  EngineCounters& counters_;
  Scheduler scheduler_;
  EncodeQueue encodes_;
  std::optional<MemoryDirector> director_;

  // Reused from step to step.
  std::array<RunningStep, kMaxStepsStarted> steps_;  // in turn: the next is steps_[begun_ % size]
  uint64_t begun_ = 0;
  int started_ = 0;  // the newest of those begun; their results are to come
  absl::Duration concluded_ = -absl::InfiniteDuration();  // when the last step was
  StepOutput output_;
  std::vector<std::unique_ptr<Sequence>> arrived_;
  std::vector<std::unique_ptr<Sequence>> finished_;
  std::vector<EncodeJob> arrived_encodes_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_ENGINE_LOOP_H_
