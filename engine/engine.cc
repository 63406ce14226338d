#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/field_error.h"
#include "engine/base/status_macros.h"
#include "engine/engine_loop.h"
#include "engine/inbox.h"
#include "engine/request_checks.h"

namespace memory3 {
namespace {

// An idle engine still goes round this often, so that its heartbeat shows it alive.
constexpr absl::Duration kIdleHeartbeat = absl::Seconds(1);

absl::Status CheckMemory(const EngineMemory& memory, const RunnerMemoryInfo& runner) {
  if (runner.slots == 0) return FieldError("memory", "the runner has no explicit memory");
  if (memory.retriever == nullptr || memory.store == nullptr || memory.loader == nullptr) {
    return FieldError("memory", "needs a retriever, a store and a loader");
  }
  if (memory.store->shape() != runner.shape) {
    return FieldError("memory.store",
                      absl::StrCat("has memories of ", Describe(memory.store->shape()),
                                   "; the model's are ", Describe(runner.shape)));
  }
  if (memory.lead_tokens < 0 || memory.lead_tokens >= runner.chunk_tokens) {
    return FieldError("memory.lead_tokens", absl::StrCat("must be in [0, ", runner.chunk_tokens,
                                                         "), got ", memory.lead_tokens));
  }
  if (memory.chunks_held < 2) {
    return FieldError("memory.chunks_held",
                      absl::StrCat("must be at least 2, got ", memory.chunks_held));
  }
  if (memory.chunks_held * runner.memories_per_chunk > runner.slots) {
    return FieldError("memory.chunks_held",
                      absl::StrCat("of ", memory.chunks_held, " takes ",
                                   memory.chunks_held * runner.memories_per_chunk,
                                   " slots; the runner has ", runner.slots));
  }
  const std::pair<std::string_view, absl::Duration> times[] = {
      {"memory.retrieval_timeout", memory.retrieval_timeout},
      {"memory.boundary_deadline", memory.boundary_deadline},
      {"memory.strict_timeout", memory.strict_timeout}};
  for (const auto& [field, time] : times) {
    if (time >= absl::ZeroDuration()) continue;
    return FieldError(field,
                      absl::StrCat("must not be negative, got ", absl::FormatDuration(time)));
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const EngineOptions& options, const RunnerInfo& info) {
  if (options.max_queued_requests < 1) {
    return FieldError("max_queued_requests",
                      absl::StrCat("must be at least 1, got ", options.max_queued_requests));
  }
  // Otherwise a legal prompt could be refused as "queue full" for ever.
  if (options.max_queued_prompt_tokens < info.max_context) {
    return FieldError("max_queued_prompt_tokens",
                      absl::StrCat("must be at least the context of ", info.max_context, ", got ",
                                   options.max_queued_prompt_tokens));
  }
  if (options.max_batch_tokens < 1) {
    return FieldError("max_batch_tokens",
                      absl::StrCat("must be at least 1, got ", options.max_batch_tokens));
  }
  if (options.max_stream_events < 1) {
    return FieldError("max_stream_events",
                      absl::StrCat("must be at least 1, got ", options.max_stream_events));
  }
  for (const int32_t token : options.eos_tokens) {
    if (token >= 0 && token < info.vocab) continue;
    return FieldError("eos_tokens", absl::StrCat("must be in [0, ", info.vocab, "), got ", token));
  }
  if (options.max_queued_encodes < 1) {
    return FieldError("max_queued_encodes",
                      absl::StrCat("must be at least 1, got ", options.max_queued_encodes));
  }
  return options.memory.has_value() ? CheckMemory(*options.memory, info.memory) : absl::OkStatus();
}

}  // namespace

class Engine::Impl {
 public:
  Impl(EngineOptions options, std::unique_ptr<Runner> runner, const Tokenizer& tokenizer,
       EngineObserver* observer, Clock* clock)
      : options_(std::move(options)),
        runner_(std::move(runner)),
        tokenizer_(tokenizer),
        clock_(clock != nullptr ? *clock : real_clock_),
        inbox_(options_.max_queued_requests, options_.max_queued_prompt_tokens,
               options_.max_queued_encodes),
        loop_(options_, *runner_, tokenizer, observer != nullptr ? *observer : no_observer_, clock_,
              wake_, inbox_, counters_) {
    counters_.heartbeat_nanoseconds = absl::ToInt64Nanoseconds(clock_.Steady());
    thread_ = std::thread([this] { RunLoop(); });
  }

  ~Impl() {
    stopping_.store(true);
    inbox_.StopAdmitting();
    wake_.Set();
    thread_.join();
  }

  absl::StatusOr<Generation> Submit(GenerationRequest request);
  absl::Status EncodeReferences(std::vector<std::vector<int32_t>> references, EncodeDone done);

  void Cancel(RequestId id) {
    if (inbox_.Cancel(id)) wake_.Set();
  }
  void BeginDrain() { inbox_.StopAdmitting(); }
  bool AwaitIdle(absl::Duration timeout) { return inbox_.AwaitEmpty(timeout); }

  EngineSnapshot Snapshot() const;
  const RunnerInfo& runner_info() const { return runner_->info(); }
  const EngineOptions& options() const { return options_; }

 private:
  std::unique_ptr<MemorySession> NewSession(const GenerationRequest& request) const;

  void RunLoop() {
    while (!stopping_.load()) {
      if (loop_.Step()) continue;
      clock_.SleepUntil(std::min(clock_.Steady() + kIdleHeartbeat, loop_.NextDeadline()), wake_);
    }
    loop_.EndAll(absl::UnavailableError("the engine was shut down"));
  }

  const EngineOptions options_;
  const std::unique_ptr<Runner> runner_;
  const Tokenizer& tokenizer_;
  RealClock real_clock_;
  EngineObserver no_observer_;
  Clock& clock_;
  EngineCounters counters_;
  Inbox inbox_;
  WakeSignal wake_;
  EngineLoop loop_;  // the engine thread's
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

absl::StatusOr<Generation> Engine::Impl::Submit(GenerationRequest request) {
  M3_RETURN_IF_ERROR(CheckRequest(request, runner_->info()));
  if (request.memory.enabled && !options_.memory.has_value()) {
    return FieldError("use_memory", "this engine has no memories");
  }
  // The calendar is read once, here: a jump later moves no deadline.
  const absl::Duration left = request.deadline - clock_.Now();
  if (left <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError("the deadline had passed when the request arrived");
  }
  std::vector<int32_t> stop_ids = StopIds(request, options_.eos_tokens);
  if (request.sampling.min_tokens > 0) {
    if (static_cast<int>(stop_ids.size()) >= runner_->info().vocab) {
      return FieldError("min_tokens", "leaves no token to choose: all of them stop");
    }
    request.sampling.suppressed_until_min = stop_ids;
  }
  Generation generation;
  generation.id = inbox_.NextId();
  generation.stream = std::make_shared<GenerationStream>(options_.max_stream_events);
  const absl::Duration now = clock_.Steady();
  std::unique_ptr<MemorySession> memory = request.memory.enabled ? NewSession(request) : nullptr;
  M3_RETURN_IF_ERROR(inbox_.Submit(std::make_unique<Sequence>(
      generation.id, std::move(request), std::move(stop_ids), generation.stream, tokenizer_, now,
      now + left, std::move(memory))));
  wake_.Set();
  return generation;
}

std::unique_ptr<MemorySession> Engine::Impl::NewSession(const GenerationRequest& request) const {
  const RunnerMemoryInfo& info = runner_->info().memory;
  const ChunkPlan plan(static_cast<int>(request.prompt.size()), request.max_tokens,
                       info.chunk_tokens, options_.memory->lead_tokens);
  return std::make_unique<MemorySession>(request.memory, request.prompt, request.max_tokens, plan,
                                         info.memories_per_chunk, options_.memory->chunks_held,
                                         tokenizer_);
}

absl::Status Engine::Impl::EncodeReferences(std::vector<std::vector<int32_t>> references,
                                            EncodeDone done) {
  M3_RETURN_IF_ERROR(CheckReferences(references, runner_->info()));
  EncodeJob job{.references = std::move(references)};
  // The caller hears first: once the engine is idle, every caller has.
  job.done = [this, done = std::move(done)](auto memories) mutable {
    done(std::move(memories));
    inbox_.EncodeEnded();
  };
  M3_RETURN_IF_ERROR(inbox_.SubmitEncode(std::move(job)));
  wake_.Set();
  return absl::OkStatus();
}

EngineSnapshot Engine::Impl::Snapshot() const {
  EngineSnapshot snapshot;
  snapshot.queued = inbox_.queued();
  snapshot.running = counters_.running.load(std::memory_order_relaxed);
  snapshot.kv_blocks_used = counters_.kv_blocks_used.load(std::memory_order_relaxed);
  snapshot.kv_blocks_total = runner_->info().kv_blocks;
  snapshot.steps = counters_.steps.load(std::memory_order_relaxed);
  snapshot.failed_steps = counters_.failed_steps.load(std::memory_order_relaxed);
  // As an age by the steady clock, so that a jump of the calendar looks like no hang.
  const absl::Duration age =
      clock_.Steady() -
      absl::Nanoseconds(counters_.heartbeat_nanoseconds.load(std::memory_order_relaxed));
  snapshot.heartbeat = clock_.Now() - age;
  snapshot.draining = inbox_.draining();
  snapshot.waiting_for_memory = counters_.waiting_for_memory.load(std::memory_order_relaxed);
  snapshot.memory_slots_used = counters_.memory_slots_used.load(std::memory_order_relaxed);
  snapshot.memory_slots_total = runner_->info().memory.slots;
  return snapshot;
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(EngineOptions options,
                                                       std::unique_ptr<Runner> runner,
                                                       const Tokenizer& tokenizer,
                                                       EngineObserver* observer, Clock* clock) {
  M3_RETURN_IF_ERROR(CheckOptions(options, runner->info()));
  options.max_batch_tokens = std::min(options.max_batch_tokens, runner->info().max_batch_rows);
  return std::unique_ptr<Engine>(new Engine(
      std::make_unique<Impl>(std::move(options), std::move(runner), tokenizer, observer, clock)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

absl::StatusOr<Generation> Engine::Submit(GenerationRequest request) {
  return impl_->Submit(std::move(request));
}
void Engine::Cancel(RequestId id) { impl_->Cancel(id); }
absl::Status Engine::EncodeReferences(std::vector<std::vector<int32_t>> references,
                                      EncodeDone done) {
  return impl_->EncodeReferences(std::move(references), std::move(done));
}
void Engine::BeginDrain() { impl_->BeginDrain(); }
bool Engine::AwaitIdle(absl::Duration timeout) { return impl_->AwaitIdle(timeout); }
EngineSnapshot Engine::Snapshot() const { return impl_->Snapshot(); }
const RunnerInfo& Engine::runner_info() const { return impl_->runner_info(); }
const EngineOptions& Engine::options() const { return impl_->options(); }

}  // namespace memory3
