// Encoding references on a running engine: for callers, and for memories retrieved before they
// exist (cold start).
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/field_error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/memory_harness.h"

namespace memory3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Memories = std::vector<std::shared_ptr<const MemoryTensor>>;

// What an encode came to, seen from the test's thread.
class Outcome {
 public:
  Engine::EncodeDone Take() {
    return [this](absl::StatusOr<Memories> made) {
      MutexLock lock(mutex_);
      outcome_ = std::move(made);
    };
  }
  std::optional<absl::StatusOr<Memories>> get() const {
    MutexLock lock(mutex_);
    return outcome_;
  }
  absl::StatusOr<Memories> Wait() const {
    M3_CHECK(Await([this] { return get().has_value(); }));
    return *get();
  }

 private:
  mutable Mutex mutex_;
  std::optional<absl::StatusOr<Memories>> outcome_ ABSL_GUARDED_BY(mutex_);
};

void ExpectEncoded(const std::vector<std::vector<int32_t>>& references, const Memories& memories) {
  ASSERT_EQ(memories.size(), references.size());
  for (size_t i = 0; i < references.size(); ++i) {
    EXPECT_EQ(memories[i]->bytes,
              MakeTestMemory(TestMemoryShape(), SeedOfReference(references[i]))->bytes);
  }
}

TEST(EngineEncodeTest, AnyNumberInBatchesTheRunnerTakes) {
  EngineHarness harness(MemoryRunnerInfo());
  std::vector<int> batches;
  harness.runner->before_encode = [&](int references) {
    batches.push_back(references);
    return absl::OkStatus();
  };
  harness.Start();
  std::vector<std::vector<int32_t>> references;
  for (int i = 0; i < 5; ++i) references.push_back(PromptOf(1 + i, i));
  Outcome outcome;
  ASSERT_TRUE(harness.engine->EncodeReferences(references, outcome.Take()).ok());
  const absl::StatusOr<Memories> made = outcome.Wait();
  ASSERT_TRUE(made.ok()) << made.status();
  ExpectEncoded(references, *made);
  EXPECT_THAT(batches, ElementsAre(2, 2, 1));
  EXPECT_THAT(harness.runner->violations(), IsEmpty());
}

TEST(EngineEncodeTest, StreamsGoOnBetweenBatches) {
  EngineHarness harness(MemoryRunnerInfo(), {}, /*gated=*/true);
  std::atomic<int> encoded = 0;
  harness.runner->before_encode = [&](int references) {
    EXPECT_EQ(references, 1) << "a stream stands still for them";
    encoded += references;
    return absl::OkStatus();
  };
  harness.Start();
  GenerationRequest request = MakeRequest(PromptOf(3), 20);
  request.ignore_eos = true;
  const Generation generation = harness.Submit(request);
  harness.gate.AwaitStep();
  Outcome first;
  Outcome second;
  ASSERT_TRUE(harness.engine->EncodeReferences({PromptOf(2), PromptOf(3)}, first.Take()).ok());
  ASSERT_TRUE(harness.engine->EncodeReferences({PromptOf(4)}, second.Take()).ok());
  harness.gate.RunStepAndAwaitNext();
  for (int done = 0; done <= 3; ++done) {
    EXPECT_EQ(encoded, done);
    EXPECT_EQ(first.get().has_value(), done >= 2);
    EXPECT_EQ(second.get().has_value(), done >= 3);
    harness.gate.RunStepAndAwaitNext();
  }
  harness.gate.Open();
  ASSERT_TRUE(second.Wait().ok());
  ExpectEncoded({PromptOf(4)}, *second.Wait());
  EXPECT_EQ(ReadAll(*generation.stream).tokens.size(), 20u);
}

TEST(EngineEncodeTest, WhatCannotBeEncodedIsNamed) {
  EngineHarness harness(MemoryRunnerInfo());
  harness.Start();
  const auto field_of = [&](std::vector<std::vector<int32_t>> references) {
    const absl::Status refused = harness.engine->EncodeReferences(
        std::move(references),
        [](absl::StatusOr<Memories>) { ADD_FAILURE() << "refused, and yet answered"; });
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
    return FieldOf(refused);
  };
  EXPECT_EQ(field_of({}), "references");
  EXPECT_EQ(field_of({{1}, {}}), "references[1]");
  EXPECT_EQ(field_of({PromptOf(9)}), "references[0]");
  EXPECT_EQ(field_of({{1}, {2, 260}}), "references[1]");
  EXPECT_EQ(field_of({{-1}}), "references[0]");
  EngineHarness plain;
  plain.Start();
  EXPECT_EQ(plain.engine->EncodeReferences({{1}}, [](absl::StatusOr<Memories>) {}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(EngineEncodeTest, AFailureIsThatOfItsBatch) {
  EngineHarness harness(MemoryRunnerInfo());
  harness.runner->before_encode = [first = true](int) mutable {
    return std::exchange(first, false) ? absl::InternalError("broken") : absl::OkStatus();
  };
  harness.Start();
  Outcome bad;
  ASSERT_TRUE(harness.engine->EncodeReferences({{1}}, bad.Take()).ok());
  EXPECT_EQ(bad.Wait().status().code(), absl::StatusCode::kInternal);
  Outcome good;
  ASSERT_TRUE(harness.engine->EncodeReferences({{1}}, good.Take()).ok());
  EXPECT_TRUE(good.Wait().ok());
}

TEST(EngineEncodeTest, TheQueueHasALimitAndDrainingRefuses) {
  EngineHarness harness(MemoryRunnerInfo(), {.max_queued_encodes = 2}, /*gated=*/true);
  harness.Start();
  const Generation generation = harness.Submit(MakeRequest({'a'}, 3));
  harness.gate.AwaitStep();  // the engine thread stands still
  Outcome first;
  Outcome second;
  Outcome refused;
  ASSERT_TRUE(harness.engine->EncodeReferences({{1}}, first.Take()).ok());
  ASSERT_TRUE(harness.engine->EncodeReferences({{2}}, second.Take()).ok());
  EXPECT_EQ(harness.engine->EncodeReferences({{3}}, refused.Take()).code(),
            absl::StatusCode::kResourceExhausted);
  harness.engine->BeginDrain();
  EXPECT_EQ(harness.engine->EncodeReferences({{3}}, refused.Take()).code(),
            absl::StatusCode::kUnavailable);
  harness.gate.Open();
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(first.get().has_value() && first.get()->ok());
  EXPECT_TRUE(second.get().has_value() && second.get()->ok());
  EXPECT_FALSE(refused.get().has_value());
}

TEST(EngineEncodeTest, ShutdownAnswersWhatStillWaits) {
  EngineHarness harness(MemoryRunnerInfo(), {}, /*gated=*/true);
  harness.Start();
  const Generation generation = harness.Submit(MakeRequest({'a'}, 3));
  harness.gate.AwaitStep();
  Outcome outcome;
  ASSERT_TRUE(harness.engine->EncodeReferences({{1}}, outcome.Take()).ok());
  std::thread end([&] { harness.engine.reset(); });
  harness.gate.Open();
  end.join();
  ASSERT_TRUE(outcome.get().has_value());
  if (!outcome.get()->ok()) {
    EXPECT_EQ(outcome.get()->status().code(), absl::StatusCode::kUnavailable);
  }
}

// Texts of the cold memories: a token per digit of the id.
class TestTexts final : public ColdReferences {
 public:
  explicit TestTexts(MemoryLoader& loader) : loader_(loader) {}
  Courier courier;

  static std::vector<int32_t> TextOf(MemoryId id) {
    std::vector<int32_t> ids;
    for (const char c : std::to_string(id)) ids.push_back(c);
    return ids;
  }
  void Tokens(const MemoryKey& key, TokensDone done) override {
    ++asked;
    absl::StatusOr<std::vector<int32_t>> text = TextOf(key.id);
    if (key.id % 2 == 1 && odd_are_gone) text = absl::NotFoundError("no text");
    courier.Deliver([text, done = std::move(done)]() mutable { done(std::move(text)); });
  }
  void Keep(const MemoryKey& key, std::shared_ptr<const MemoryTensor> memory) override {
    loader_.Insert(key, std::move(memory));
    ++kept;
  }
  std::atomic<int> asked = 0, kept = 0;
  std::atomic<bool> odd_are_gone = false;

 private:
  MemoryLoader& loader_;
};

class ColdStartTest : public testing::Test {
 protected:
  void Start() {
    MemoryHarnessOptions options;
    options.host_cache_bytes = 1 << 20;
    options.cold = [this](MemoryLoader& loader) {
      texts_ = std::make_unique<TestTexts>(loader);
      return texts_.get();
    };
    harness_ = std::make_unique<MemoryHarness>(std::move(options));
    for (MemoryId id = 0; id < harness_->options.bank_size; ++id) harness_->bank.MakeCold(id);
  }

  std::unique_ptr<TestTexts> texts_;
  std::unique_ptr<MemoryHarness> harness_;
};

TEST_F(ColdStartTest, AReferenceIsEncodedOnFirstRetrievalAndKept) {
  Start();
  const GenerationRequest request = MemoryRequestFor(PromptOf(8), 12);
  const Transcript said = ReadAll(*harness_->Submit(request).stream);
  ASSERT_TRUE(said.last.status.ok()) << said.last.status;
  EXPECT_EQ(said.last.usage->degraded_chunks + said.last.usage->late_chunks, 0);
  EXPECT_GT(texts_->asked, 0);
  EXPECT_EQ(texts_->asked, texts_->kept);
  EXPECT_EQ(said.chunks[0].memories[0].tier, MemoryTier::kEncoded);
  LoopParts parts = PartsOf(*harness_);
  parts.seed_of = [](MemoryId id) { return SeedOfReference(TestTexts::TextOf(id)); };
  const ExpectedAnswer expected = AnswerOf(request, harness_->options.info, 0, parts);
  EXPECT_EQ(said.ids(), expected.tokens);
  EXPECT_EQ(harness_->runner->memories_seen(request.prompt), expected.memories_of_row);

  const int asked = texts_->asked;
  const Transcript again = ReadAll(*harness_->Submit(request).stream);
  EXPECT_EQ(again.ids(), said.ids());
  EXPECT_EQ(texts_->asked, asked);
  EXPECT_THAT(harness_->runner->violations(), IsEmpty());
}

TEST_F(ColdStartTest, SequencesShareOneEncode) {
  Start();
  texts_->courier.Hold();
  const GenerationRequest request = MemoryRequestFor(PromptOf(4), 3);
  const Generation first = harness_->Submit(request);
  const Generation second = harness_->Submit(request);
  ASSERT_TRUE(harness_->AwaitWaiting(2));
  texts_->courier.StopHolding();
  EXPECT_EQ(ReadAll(*first.stream).ids(), ReadAll(*second.stream).ids());
  EXPECT_LE(texts_->asked, harness_->options.info.memory.memories_per_chunk);
}

TEST_F(ColdStartTest, AReferenceWithoutATextIsMissing) {
  Start();
  texts_->odd_are_gone = true;
  const GenerationRequest request = MemoryRequestFor(PromptOf(12), 20);
  const Transcript said = ReadAll(*harness_->Submit(request).stream);
  ASSERT_TRUE(said.last.status.ok()) << said.last.status;
  EXPECT_GT(said.last.usage->degraded_chunks, 0);
  for (const ChunkReport& chunk : said.chunks) {
    for (const ChunkReport::Memory& memory : chunk.memories) EXPECT_EQ(memory.id % 2, 0u);
  }
}

TEST_F(ColdStartTest, WhatWasAskedForBySomebodyWhoLeftIsKeptAllTheSame) {
  Start();
  texts_->courier.Hold();
  const Generation generation = harness_->Submit(MemoryRequestFor(PromptOf(4), 3));
  ASSERT_TRUE(harness_->AwaitWaiting(1));
  harness_->engine->Cancel(generation.id);
  EXPECT_TRUE(harness_->engine->AwaitIdle(absl::InfiniteDuration()));
  texts_->courier.StopHolding();
  EXPECT_TRUE(Await([&] { return texts_->kept == texts_->asked; }));
  EXPECT_TRUE(harness_->AllFree());
}

}  // namespace
}  // namespace memory3
