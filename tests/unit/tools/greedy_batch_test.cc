#include "tools/evaluate/greedy_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/integration/memory_engine.h"
#include "tools/reference_memories.h"

namespace memory3 {
namespace {

using testing::Each;
using testing::Eq;

// A random model that generates bytes; what it says means nothing, but is the same every time.
class GreedyBatchTest : public testing::Test {
 protected:
  std::unique_ptr<Runner> MakeRunner(int max_sequences) {
    const SynthFolder folder(MemoryByteShape());
    const absl::StatusOr<ModelConfig> config = LoadModelConfig(folder.path());
    M3_CHECK(config.ok());
    const absl::StatusOr<ModelWeights> weights = ModelWeights::Open(folder.path(), *config);
    M3_CHECK(weights.ok());
    absl::StatusOr<std::unique_ptr<Runner>> runner = CreateCpuRunner(
        *config, *weights, MemoryRunnerOptions(DType::kF32, /*slots=*/24, max_sequences));
    M3_CHECK(runner.ok());
    return *std::move(runner);
  }

  std::vector<GreedyPrompt> Prompts(Runner& runner) {
    std::vector<std::string> texts;
    std::vector<MemorySlot> slots;
    for (MemorySlot slot = 0; slot < 12; ++slot) {
      texts.push_back("reference " + std::to_string(slot));
      slots.push_back(slot);
    }
    EXPECT_TRUE(FillWithTexts(texts, slots, tokenizer_, runner).ok());
    std::mt19937 random(3);
    std::vector<GreedyPrompt> prompts;
    for (MemorySlot i = 0; i < 4; ++i) {
      GreedyPrompt& prompt = prompts.emplace_back();
      prompt.tokens.resize(1 + random() % 90);
      for (int32_t& id : prompt.tokens) id = static_cast<int32_t>(random() % 256);
      prompt.use_memory = i % 2 == 0;
      if (prompt.use_memory) prompt.memories = {3 * i, 3 * i + 1, 3 * i + 2};
    }
    return prompts;
  }

  const ByteTokenizer tokenizer_;
  const GreedyOptions options_ = {.max_tokens = 20, .one_line = false, .eos_tokens = {}};
};

TEST_F(GreedyBatchTest, AnAnswerDoesNotDependOnTheOthers) {
  const std::unique_ptr<Runner> runner = MakeRunner(4);
  GreedyBatch batch(*runner, tokenizer_, options_);
  ASSERT_EQ(batch.size(), 4);
  const std::vector<GreedyPrompt> prompts = Prompts(*runner);
  const auto together = batch.Answer(prompts);
  ASSERT_TRUE(together.ok()) << together.status();
  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto alone = batch.Answer({&prompts[i], 1});
    ASSERT_TRUE(alone.ok());
    EXPECT_EQ(alone->front(), (*together)[i]);
    EXPECT_FALSE((*together)[i]->empty());
  }
}

TEST_F(GreedyBatchTest, MemoriesChangeTheAnswer) {
  const std::unique_ptr<Runner> runner = MakeRunner(4);
  GreedyBatch batch(*runner, tokenizer_, options_);
  GreedyPrompt with = Prompts(*runner).front(), without = with;
  without.memories.clear();
  const auto answers = batch.Answer({with, without});
  ASSERT_TRUE(answers.ok());
  EXPECT_NE(answers->front(), answers->back());
}

TEST_F(GreedyBatchTest, WhatDoesNotFitHasNoAnswer) {
  const std::unique_ptr<Runner> runner = MakeRunner(4);
  GreedyBatch batch(*runner, tokenizer_, options_);
  GreedyPrompt longest, too_long;
  longest.tokens.assign(runner->info().max_context - options_.max_tokens, 'a');
  too_long.tokens.assign(longest.tokens.size() + 1, 'a');
  const auto answers = batch.Answer({too_long, longest});
  ASSERT_TRUE(answers.ok()) << answers.status();
  EXPECT_FALSE(answers->front().has_value());
  EXPECT_TRUE(answers->back().has_value());
}

TEST_F(GreedyBatchTest, EndOfTextEndsAnAnswer) {
  const std::unique_ptr<Runner> runner = MakeRunner(4);
  GreedyOptions options = options_;
  for (int32_t id = 0; id < runner->info().vocab; ++id) options.eos_tokens.push_back(id);
  GreedyBatch batch(*runner, tokenizer_, options);
  const auto answers = batch.Answer(Prompts(*runner));
  ASSERT_TRUE(answers.ok());
  EXPECT_THAT(*answers, Each(Eq(std::optional<std::string>(""))));
}

}  // namespace
}  // namespace memory3
