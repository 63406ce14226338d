// Under the strict policy an answer is a function of request, model and bank: not of delays, batch
// mates, caches, slots, or the shape of steps.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/memory_harness.h"

namespace memory3 {
namespace {

struct Surroundings {
  std::string name;
  int max_delay_us;
  int64_t host_cache_bytes;
  int slots;
  int max_sequences;
  int chunks_held;
  int max_batch_tokens;
  bool faults;  // retrievals and reads that fail at random, and are tried again
};

const Surroundings kSurroundings[] = {
    {"quiet", 0, 1 << 20, 64, 16, 2, 32, false},
    {"slow", 300, 0, 64, 16, 2, 32, false},
    {"few_slots", 100, 0, 9, 16, 2, 32, false},
    {"wide_window", 100, 6 * kRecordAlignment, 64, 8, 5, 17, false},
    {"one_by_one", 100, 1 << 20, 12, 1, 3, 3, false},
    {"faulty", 100, 6 * kRecordAlignment, 40, 8, 2, 24, true},
};

class MemoryDeterminismTest : public testing::TestWithParam<std::tuple<Surroundings, int>> {};

TEST_P(MemoryDeterminismTest, StrictAnswersAreTheSameEverywhere) {
  const auto& [around, lead] = GetParam();
  constexpr uint32_t kSeed = 20;
  MemoryHarnessOptions options;
  options.info.memory.slots = around.slots;
  options.info.max_sequences = around.max_sequences;
  options.memory.lead_tokens = lead;
  options.memory.chunks_held = around.chunks_held;
  options.engine.max_batch_tokens = around.max_batch_tokens;
  options.host_cache_bytes = around.host_cache_bytes;
  options.max_delay_us = around.max_delay_us;
  options.real_clock = true;
  MemoryHarness harness(options);
  for (MemoryId id = 3; id < options.bank_size; id += 10) harness.bank.Damage(id);
  if (around.faults) {
    harness.retriever.SetChange(
        [&harness, random = std::mt19937(kSeed)](
            RetrievalAnswer right) mutable -> absl::StatusOr<RetrievalAnswer> {
          if (random() % 4 == 0)
            harness.bank.FailReads(4, absl::InternalError("input/output error"));
          if (random() % 4 == 0) return absl::UnavailableError("no sidecar");
          return right;
        });
  }
  LoopParts parts = PartsOf(harness);
  parts.can_load = [](MemoryId id) { return id % 10 != 3; };
  std::mt19937 random(kSeed);
  std::vector<GenerationRequest> requests;
  for (int i = 0; i < 24; ++i) {
    requests.push_back(MemoryRequestFor(PromptOf(1 + random() % 30, i), 1 + random() % 30));
    requests.back().sampling.seed = random();
  }
  std::vector<int> order(requests.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  for (int round = 0; round < 2; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    std::vector<Generation> generations(requests.size());
    for (const int i : order) generations[i] = harness.Submit(requests[i]);
    for (size_t i = 0; i < requests.size(); ++i) {
      const Transcript said = ReadAll(*generations[i].stream);
      ASSERT_TRUE(said.last.status.ok()) << said.last.status;
      EXPECT_EQ(said.ids(), AnswerOf(requests[i], options.info, lead, parts).tokens)
          << "request " << i << ", round " << round;
      EXPECT_EQ(said.last.usage->late_chunks, 0);
    }
  }
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness.AllFree());
  EXPECT_THAT(harness.runner->violations(), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Everywhere, MemoryDeterminismTest,
                         testing::Combine(testing::ValuesIn(kSurroundings), testing::Values(0, 3)),
                         [](const auto& test) {
                           return std::get<0>(test.param).name + "_lead_" +
                                  std::to_string(std::get<1>(test.param));
                         });

}  // namespace
}  // namespace memory3
