// Ten thousand streams opened and cancelled at random moments, on the real runner.
#include <random>

#include "gtest/gtest.h"
#include "tests/integration/cpu_engine.h"
#include "tests/unit/engine/engine_churn.h"

namespace memory3 {
namespace {

TEST(ChurnTest, TenThousandStreamsLeaveEveryBlockFree) {
  const SynthShape shape = {.hidden = 32,
                            .layers = 1,
                            .heads = 2,
                            .kv_heads = 1,
                            .head_dim = 16,
                            .mlp = 32,
                            .vocab = 260,
                            .context = 64};
  const ByteTokenizer tokenizer;
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      CreateCpuEngine(shape, {.threads = 1, .max_sequences = 16, .max_batch_rows = 64},
                      {.max_queued_requests = 64, .max_stream_events = 16}, tokenizer);
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::random_device entropy;
  const uint32_t seed = entropy();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Churn(**engine, {.max_tokens = 12}, seed);

  EXPECT_TRUE((*engine)->AwaitIdle(absl::InfiniteDuration()));
  const EngineSnapshot snapshot = (*engine)->Snapshot();
  EXPECT_EQ(snapshot.kv_blocks_used, 0);
  EXPECT_EQ(snapshot.running, 0);
  EXPECT_EQ(snapshot.queued, 0);
  // Every slot works as on the first day.
  for (int i = 0; i < 32; ++i) {
    const absl::StatusOr<Generation> generation = (*engine)->Submit(MakeRequest({'x'}, 3));
    ASSERT_TRUE(generation.ok()) << generation.status();
    EXPECT_TRUE(ReadAll(*generation->stream).last.finish.has_value());
  }
}

}  // namespace
}  // namespace memory3
