#include "tools/engine_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "tests/unit/engine/byte_tokenizer.h"
#include "tests/unit/engine/fake_runner.h"

namespace memory3 {
namespace {

constexpr int kSequences = 4;
constexpr int kContext = 64;

std::unique_ptr<Engine> MakeEngine(const Tokenizer& tokenizer, int max_queued_requests) {
  RunnerInfo info;
  info.vocab = tokenizer.vocab_size();
  info.max_context = kContext;
  info.kv_block_tokens = 16;
  info.kv_blocks = kSequences * kContext / info.kv_block_tokens;
  info.max_sequences = kSequences;
  info.max_batch_rows = 32;
  EngineOptions options;
  options.max_queued_requests = max_queued_requests;
  options.eos_tokens = {ByteTokenizer::kEos};
  auto engine = Engine::Create(options, std::make_unique<FakeRunner>(info), tokenizer);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

TEST(EngineLoadTest, EveryTokenOfEveryRequestIsSeen) {
  const ByteTokenizer tokenizer;
  const std::unique_ptr<Engine> engine = MakeEngine(tokenizer, 100);
  const auto samples = RunEngineLoad(*engine, UniformWorkload(20, 10, 30), 1);
  ASSERT_EQ(samples.size(), 20u);
  for (const RequestSample& sample : samples) {
    EXPECT_EQ(sample.error, "");
    EXPECT_EQ(sample.prompt_tokens, 10);
    EXPECT_EQ(sample.tokens(), 30);
    EXPECT_EQ(sample.answer.size(), 30u);
    EXPECT_GE(sample.first(), sample.start);
  }
  EXPECT_EQ(engine->Snapshot().running, 0);
}

TEST(EngineLoadTest, RefusedRequestsAreErrors) {
  const ByteTokenizer tokenizer;
  const std::unique_ptr<Engine> engine = MakeEngine(tokenizer, 100);
  const LoadSummary summary = Summarize(RunEngineLoad(*engine, UniformWorkload(3, kContext, 1), 1));
  EXPECT_EQ(summary.finished, 0);
  EXPECT_EQ(summary.errors.at("INVALID_ARGUMENT"), 3);
}

}  // namespace
}  // namespace memory3
