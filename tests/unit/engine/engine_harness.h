// An engine on a FakeRunner whose steps a test can let through one by one.
#ifndef MEMORY3_TESTS_UNIT_ENGINE_ENGINE_HARNESS_H_
#define MEMORY3_TESTS_UNIT_ENGINE_ENGINE_HARNESS_H_

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/mutex.h"
#include "engine/engine.h"
#include "tests/unit/engine/byte_tokenizer.h"
#include "tests/unit/engine/fake_runner.h"

namespace memory3 {

// The engine thread stops at the gate at the start of every step that has a batch.
class StepGate {
 public:
  // The engine thread.
  void Pass() {
    MutexLock lock(mutex_);
    ++arrived_;
    changed_.SignalAll();
    while (!open_ && passed_ >= allowed_) changed_.Wait(mutex_);
    ++passed_;
    changed_.SignalAll();
  }

  // Waits until a step is about to run.
  void AwaitStep() {
    MutexLock lock(mutex_);
    while (arrived_ == passed_) changed_.Wait(mutex_);
  }
  // Lets the step at the gate run, and waits for the next one to arrive.
  void RunStepAndAwaitNext() {
    RunStep();
    AwaitStep();
  }
  void RunStep() {
    AwaitStep();
    MutexLock lock(mutex_);
    const int before = passed_;
    allowed_ = passed_ + 1;
    changed_.SignalAll();
    while (passed_ == before) changed_.Wait(mutex_);
  }
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.SignalAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int arrived_ ABSL_GUARDED_BY(mutex_) = 0;
  int passed_ ABSL_GUARDED_BY(mutex_) = 0;
  int allowed_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

// Whether engines of tests run ahead of their runners' results: some programs are run both ways.
inline bool TestsRunAhead() { return std::getenv("M3_TESTS_RUN_AHEAD") != nullptr; }

inline RunnerInfo SmallRunnerInfo() {
  return {.vocab = 260,
          .max_context = 64,
          .kv_block_tokens = 4,
          .kv_blocks = 64,
          .max_sequences = 4,
          .max_batch_rows = 32,
          .runs_ahead = TestsRunAhead()};
}

inline GenerationRequest MakeRequest(std::vector<int32_t> prompt, int max_tokens) {
  GenerationRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  return request;
}

// Everything a stream said, the last event apart.
struct Transcript {
  std::string text;
  std::vector<TokenInfo> tokens;
  std::vector<std::string> pieces;
  std::vector<ChunkReport> chunks;
  GenerationEvent last;

  std::vector<int32_t> ids() const {
    std::vector<int32_t> result;
    for (const TokenInfo& token : tokens) result.push_back(token.id);
    return result;
  }
};

inline Transcript ReadAll(GenerationStream& stream) {
  Transcript transcript;
  while (std::optional<GenerationEvent> event = stream.Next()) {
    transcript.text += event->text;
    if (!event->text.empty()) transcript.pieces.push_back(event->text);
    for (TokenInfo& token : event->tokens) transcript.tokens.push_back(std::move(token));
    for (ChunkReport& chunk : event->chunks) transcript.chunks.push_back(std::move(chunk));
    if (event->last()) transcript.last = *std::move(event);
  }
  return transcript;
}

struct EngineHarness {
  // With `gated`, steps run only as the test says, until Stop.
  explicit EngineHarness(RunnerInfo info = SmallRunnerInfo(), EngineOptions options = {},
                         bool gated = false, EngineObserver* observer = nullptr,
                         std::vector<std::string> words = {})
      : tokenizer(std::move(words)), owned_runner_(std::make_unique<FakeRunner>(std::move(info))) {
    runner = owned_runner_.get();
    options_ = std::move(options);
    observer_ = observer;
    if (gated) {
      runner->before_run = [this](const Batch&) {
        gate.Pass();
        return absl::OkStatus();
      };
    }
  }
  ~EngineHarness() { gate.Open(); }

  // After the runner was set up.
  void Start() {
    absl::StatusOr<std::unique_ptr<Engine>> created =
        Engine::Create(options_, std::move(owned_runner_), tokenizer, observer_, &clock);
    M3_CHECK(created.ok());
    engine = *std::move(created);
  }

  Generation Submit(GenerationRequest request) {
    absl::StatusOr<Generation> generation = engine->Submit(std::move(request));
    M3_CHECK(generation.ok());
    return *std::move(generation);
  }

  bool AllFree() const {
    return engine->Snapshot().kv_blocks_used == 0 && engine->Snapshot().running == 0 &&
           engine->Snapshot().queued == 0 && runner->open_slots() == 0;
  }

  ManualClock clock;
  ByteTokenizer tokenizer;
  StepGate gate;
  FakeRunner* runner = nullptr;
  std::unique_ptr<Engine> engine;  // destroyed first

 private:
  std::unique_ptr<FakeRunner> owned_runner_;
  EngineOptions options_;
  EngineObserver* observer_ = nullptr;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_ENGINE_ENGINE_HARNESS_H_
