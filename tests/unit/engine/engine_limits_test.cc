// What is refused, with which field's name, and the order in which the rest runs.
#include <cmath>
#include <functional>
#include <vector>

#include "engine/base/field_error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

using testing::ElementsAre;

struct BadRequest {
  std::string field;
  std::function<void(GenerationRequest&)> spoil;
};

TEST(EngineRequestTest, BadFieldsAreNamed) {
  EngineHarness harness;  // 260 ids, context 64
  harness.Start();
  const std::vector<BadRequest> cases = {
      {"prompt", [](GenerationRequest& r) { r.prompt.clear(); }},
      {"prompt", [](GenerationRequest& r) { r.prompt.assign(64, 'a'); }},
      {"prompt[1]",
       [](GenerationRequest& r) {
         r.prompt = {1, -1};
       }},
      {"prompt[2]",
       [](GenerationRequest& r) {
         r.prompt = {1, 2, 260};
       }},
      {"max_tokens", [](GenerationRequest& r) { r.max_tokens = 0; }},
      {"max_tokens", [](GenerationRequest& r) { r.max_tokens = -5; }},
      {"max_tokens", [](GenerationRequest& r) { r.max_tokens = 63; }},
      {"max_tokens", [](GenerationRequest& r) { r.max_tokens = INT32_MAX; }},
      {"top_p", [](GenerationRequest& r) { r.sampling.top_p = NAN; }},
      {"min_tokens", [](GenerationRequest& r) { r.sampling.min_tokens = -1; }},
      {"min_tokens", [](GenerationRequest& r) { r.sampling.min_tokens = 9; }},
      {"suppressed_until_min", [](GenerationRequest& r) { r.sampling.suppressed_until_min = {1}; }},
      {"stop", [](GenerationRequest& r) { r.stop.assign(kMaxStopStrings + 1, "x"); }},
      {"stop[1]",
       [](GenerationRequest& r) {
         r.stop = {"x", ""};
       }},
      {"stop[0]",
       [](GenerationRequest& r) { r.stop = {std::string(kMaxStopStringBytes + 1, 'x')}; }},
      {"stop[0]", [](GenerationRequest& r) { r.stop = {"\xFF"}; }},
      {"stop_token_ids[0]", [](GenerationRequest& r) { r.stop_token_ids = {-1}; }},
      {"stop_token_ids[1]",
       [](GenerationRequest& r) {
         r.stop_token_ids = {0, 260};
       }},
      {"stop_token_ids",
       [](GenerationRequest& r) { r.stop_token_ids.assign(kMaxStopTokenIds + 1, 1); }},
  };
  for (const BadRequest& bad : cases) {
    GenerationRequest request = MakeRequest({'a', 'b'}, 8);
    bad.spoil(request);
    const absl::Status status = harness.engine->Submit(std::move(request)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.field;
    EXPECT_EQ(FieldOf(status), bad.field) << status;
  }
  EXPECT_TRUE(harness.engine->Submit(MakeRequest({'a', 'b'}, 62)).ok());
}

TEST(EngineRequestTest, MoreThanTheKvCacheHoldsCanNeverRun) {
  RunnerInfo info = SmallRunnerInfo();
  info.kv_blocks = 5;  // 20 tokens
  EngineHarness harness(info);
  harness.Start();
  EXPECT_EQ(FieldOf(harness.engine->Submit(MakeRequest({'a'}, 20)).status()), "max_tokens");
  const Generation fits = harness.Submit(MakeRequest({'a'}, 19));
  EXPECT_TRUE(ReadAll(*fits.stream).last.finish.has_value());
}

TEST(EngineOptionsTest, OptionsThatCannotWorkAreNamed) {
  const ByteTokenizer tokenizer;
  const auto field_of = [&tokenizer](EngineOptions options) {
    return FieldOf(Engine::Create(std::move(options),
                                  std::make_unique<FakeRunner>(SmallRunnerInfo()), tokenizer)
                       .status());
  };
  EXPECT_EQ(field_of({.max_queued_requests = 0}), "max_queued_requests");
  EXPECT_EQ(field_of({.max_queued_prompt_tokens = 63}), "max_queued_prompt_tokens");
  EXPECT_EQ(field_of({.max_batch_tokens = 0}), "max_batch_tokens");
  EXPECT_EQ(field_of({.max_stream_events = 0}), "max_stream_events");
  EXPECT_EQ(field_of({.eos_tokens = {1, 260}}), "eos_tokens");
  EXPECT_EQ(field_of({}), std::nullopt);
}

TEST(EngineOptionsTest, TheBatchIsAtMostTheRunners) {
  EngineHarness harness(SmallRunnerInfo(), {.max_batch_tokens = 1000});
  harness.Start();
  EXPECT_EQ(harness.engine->options().max_batch_tokens, 32);
}

TEST(EngineQueueTest, RefusesAtOnceWhenTooManyRequestsWait) {
  RunnerInfo info = SmallRunnerInfo();
  info.max_sequences = 1;
  EngineHarness harness(info, {.max_queued_requests = 2}, /*gated=*/true);
  harness.Start();
  harness.Submit(MakeRequest({'a'}, 4));
  harness.gate.AwaitStep();  // it runs, the queue is empty
  const Generation first = harness.Submit(MakeRequest({'b'}, 4));
  harness.Submit(MakeRequest({'c'}, 4));
  EXPECT_EQ(harness.engine->Snapshot().queued, 2);
  EXPECT_EQ(harness.engine->Submit(MakeRequest({'d'}, 4)).status().code(),
            absl::StatusCode::kResourceExhausted);
  // A place that is given up can be taken.
  harness.engine->Cancel(first.id);
  harness.gate.RunStepAndAwaitNext();
  EXPECT_EQ(harness.engine->Snapshot().queued, 1);
  EXPECT_TRUE(harness.engine->Submit(MakeRequest({'d'}, 4)).ok());
}

TEST(EngineQueueTest, RefusesAtOnceWhenTooManyPromptTokensWait) {
  RunnerInfo info = SmallRunnerInfo();
  info.max_sequences = 1;
  EngineHarness harness(info, {.max_queued_prompt_tokens = 64}, /*gated=*/true);
  harness.Start();
  harness.Submit(MakeRequest({'a'}, 1));
  harness.gate.AwaitStep();
  const std::vector<int32_t> prompt(30, 'b');
  harness.Submit(MakeRequest(prompt, 1));
  const Generation second = harness.Submit(MakeRequest(prompt, 1));
  EXPECT_EQ(harness.engine->Submit(MakeRequest(prompt, 1)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(harness.engine->Submit(MakeRequest({1, 2, 3, 4}, 1)).ok());
  harness.gate.Open();
  ReadAll(*second.stream);
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness.engine->Submit(MakeRequest(prompt, 1)).ok());
}

TEST(EngineQueueTest, RequestsRunInTheOrderTheyCame) {
  RunnerInfo info = SmallRunnerInfo();
  info.max_sequences = 1;
  EngineHarness harness(info, {}, /*gated=*/true);
  std::vector<int32_t> order;
  harness.runner->before_run = [&](const Batch& batch) {
    harness.gate.Pass();
    const BatchSequence& rows = batch.sequences[0];
    if (rows.first_position == 0) order.push_back(rows.tokens[0]);
    return absl::OkStatus();
  };
  harness.Start();
  std::vector<Generation> generations;
  for (int i = 0; i < 6; ++i) generations.push_back(harness.Submit(MakeRequest({'a' + i}, 2)));
  harness.gate.Open();
  for (const Generation& generation : generations) ReadAll(*generation.stream);
  EXPECT_THAT(order, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
}

}  // namespace
}  // namespace memory3
