// With the real runner, reader and loader: under the strict policy an answer is the same to the bit
// with either reader, cold or warm, alone or among 32, with slow reads and a sidecar that fails at
// times.
#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/memory_engine.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

constexpr int kRequests = 32;
constexpr int kLead = 3;

GenerationRequest RandomRequest(std::mt19937& random) {
  GenerationRequest request;
  request.prompt.resize(1 + random() % 70);
  for (int32_t& id : request.prompt) id = static_cast<int32_t>('a' + random() % 26);
  request.max_tokens = 20 + static_cast<int>(random() % 40);
  request.ignore_eos = true;
  request.sampling.temperature = random() % 3 == 0 ? 0.0f : 0.8f;
  request.sampling.seed = random();
  request.sampling.top_logprobs = 2;
  request.memory = {.enabled = random() % 8 != 0, .policy = MemoryPolicy::kStrict, .details = true};
  return request;
}

// Tokens, log probabilities and memories, to compare bit for bit.
struct Said {
  std::vector<std::pair<int32_t, float>> tokens;
  std::vector<std::vector<MemoryId>> memories;
  bool operator==(const Said&) const = default;
};

Said Read(GenerationStream& stream) {
  const Transcript transcript = ReadAll(stream);
  EXPECT_TRUE(transcript.last.status.ok()) << transcript.last.status;
  Said said;
  for (const TokenInfo& token : transcript.tokens) {
    said.tokens.emplace_back(token.id, token.logprob);
    for (const TokenInfo::Alternative& top : token.top) {
      said.tokens.emplace_back(top.id, top.logprob);
    }
  }
  for (const ChunkReport& chunk : transcript.chunks) {
    EXPECT_FALSE(chunk.late || chunk.degraded) << chunk.reason;
    said.memories.emplace_back();
    for (const ChunkReport::Memory& memory : chunk.memories) {
      said.memories.back().push_back(memory.id);
    }
  }
  return said;
}

class MemoryDeterminismTest : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    std::mt19937 random(2407);
    for (int i = 0; i < kRequests; ++i) requests_.push_back(RandomRequest(random));
    MemoryEngine alone(shape_, GetParam(), bank_, {.max_sequences = 1}, kLead);
    for (const GenerationRequest& request : requests_) {
      const absl::StatusOr<Generation> generation = alone.engine->Submit(request);
      ASSERT_TRUE(generation.ok()) << generation.status();
      expected_.push_back(Read(*generation->stream));
    }
  }

  // All requests together, twice: the second time whatever is cached is warm.
  void ExpectTheSame(const MemorySurroundings& around) {
    MemoryEngine together(shape_, GetParam(), bank_, around, kLead);
    std::mt19937 random(11);
    std::vector<int> order(kRequests);
    for (int i = 0; i < kRequests; ++i) order[i] = i;
    for (int round = 0; round < 2; ++round) {
      std::shuffle(order.begin(), order.end(), random);
      std::vector<Generation> generations(kRequests);
      for (const int i : order) {
        absl::StatusOr<Generation> generation = together.engine->Submit(requests_[i]);
        ASSERT_TRUE(generation.ok()) << generation.status();
        generations[i] = *std::move(generation);
      }
      for (int i = 0; i < kRequests; ++i) {
        EXPECT_TRUE(Read(*generations[i].stream) == expected_[i])
            << "request " << i << ", round " << round;
      }
    }
    EXPECT_TRUE(together.engine->AwaitIdle(absl::InfiniteDuration()));
    EXPECT_EQ(together.engine->Snapshot().memory_slots_used, 0);
    EXPECT_EQ(together.engine->Snapshot().kv_blocks_used, 0);
  }

  const SynthShape shape_ = MemoryByteShape();
  const EncodedBank bank_{shape_, GetParam(), 50};
  std::vector<GenerationRequest> requests_;
  std::vector<Said> expected_;
};

TEST_P(MemoryDeterminismTest, AmongThirtyTwo) {
  ExpectTheSame({.slots = 32 * 6, .max_sequences = 32, .max_batch_tokens = 64});
}

TEST_P(MemoryDeterminismTest, FewSlotsSmallStepsSlowReadsWarmCache) {
  ExpectTheSame({.host_cache_bytes = 1 << 20,
                 .slots = 13,
                 .max_sequences = 16,
                 .max_batch_tokens = 17,
                 .max_delay_us = 500});
}

TEST_P(MemoryDeterminismTest, WideWindowAndASidecarThatFailsAtTimes) {
  ExpectTheSame({.slots = 60, .chunks_held = 4, .retriever_fails_at_times = true});
}

TEST_P(MemoryDeterminismTest, IoUring) {
  if (!CreateMemoryReader({.kind = ReaderKind::kIoUring}, bank_.file()).ok()) {
    GTEST_SKIP() << "this system does not allow io_uring";
  }
  ExpectTheSame({.reader = ReaderKind::kIoUring, .slots = 48, .max_sequences = 8});
}

TEST_P(MemoryDeterminismTest, MemoriesChangeTheAnswer) {
  MemoryEngine engine(shape_, GetParam(), bank_, {}, kLead);
  int changed = 0;
  for (int i = 0; i < kRequests; ++i) {
    GenerationRequest plain = requests_[i];
    if (!plain.memory.enabled) continue;
    plain.memory.enabled = false;
    const absl::StatusOr<Generation> generation = engine.engine->Submit(plain);
    ASSERT_TRUE(generation.ok()) << generation.status();
    changed += Read(*generation->stream).tokens != expected_[i].tokens;
  }
  EXPECT_GT(changed, kRequests / 2);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, MemoryDeterminismTest, testing::Values(DType::kBF16, DType::kF32),
                         [](const auto& test) {
                           return test.param == DType::kBF16 ? "bf16" : "f32";
                         });

}  // namespace
}  // namespace memory3
