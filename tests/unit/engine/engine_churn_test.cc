// Many streams opened, read, left and cancelled at random moments from several threads leave
// nothing behind.
#include "tests/unit/engine/engine_churn.h"

#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

TEST(EngineChurnTest, TenThousandStreamsLeaveEveryBlockFree) {
  RunnerInfo info = SmallRunnerInfo();
  info.kv_blocks = 40;
  info.max_sequences = 8;
  auto owned_runner = std::make_unique<FakeRunner>(info);
  FakeRunner* runner = owned_runner.get();
  const ByteTokenizer tokenizer;
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      Engine::Create({.max_queued_requests = 32, .max_batch_tokens = 16, .max_stream_events = 6},
                     std::move(owned_runner), tokenizer);
  ASSERT_TRUE(engine.ok()) << engine.status();

  std::random_device entropy;
  const uint32_t seed = entropy();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Churn(**engine, {}, seed);

  EXPECT_TRUE((*engine)->AwaitIdle(absl::InfiniteDuration()));
  const EngineSnapshot snapshot = (*engine)->Snapshot();
  EXPECT_EQ(snapshot.kv_blocks_used, 0);
  EXPECT_EQ(snapshot.running, 0);
  EXPECT_EQ(snapshot.queued, 0);
  EXPECT_EQ(runner->open_slots(), 0);
  EXPECT_THAT(runner->violations(), testing::IsEmpty());
  // Every block can be reserved again, at once.
  const absl::StatusOr<Generation> all =
      (*engine)->Submit(MakeRequest(std::vector<int32_t>(63, 'x'), 1));
  ASSERT_TRUE(all.ok());
  EXPECT_TRUE(ReadAll(*all->stream).last.finish.has_value());
}

}  // namespace
}  // namespace memory3
