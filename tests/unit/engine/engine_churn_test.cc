// Many streams opened, read, left and cancelled at random moments from several threads leave
// nothing behind.
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

constexpr int kThreads = 4;
constexpr int kStreams = 10'000;

// One caller's share of the streams; several are open at a time.
void Churn(Engine& engine, uint32_t seed, std::atomic<int>& opened) {
  std::mt19937 random(seed);
  std::vector<Generation> open;
  while (opened.fetch_add(1) < kStreams) {
    GenerationRequest request = MakeRequest(std::vector<int32_t>(1 + random() % 30, 'x'),
                                            1 + static_cast<int>(random() % 20));
    request.sampling.seed = random();
    if (random() % 8 == 0) request.deadline = absl::Now() + absl::Microseconds(random() % 2000);
    absl::StatusOr<Generation> generation = engine.Submit(std::move(request));
    if (!generation.ok()) {
      EXPECT_THAT(generation.status().code(), testing::AnyOf(absl::StatusCode::kResourceExhausted,
                                                             absl::StatusCode::kDeadlineExceeded));
      opened.fetch_sub(1);  // only streams that opened count
    } else {
      open.push_back(*std::move(generation));
      if (random() % 4 == 0) open.back().stream->SetOnReady([] {});
    }
    while (open.size() > 12 || (!generation.ok() && !open.empty())) {
      const size_t which = random() % open.size();
      const Generation chosen = open[which];
      open.erase(open.begin() + which);
      const uint32_t what = random() % 4;
      if (what == 0) {
        ReadAll(*chosen.stream);
        continue;
      }
      if (what == 1) chosen.stream->Next();
      engine.Cancel(chosen.id);
      if (what == 2) ReadAll(*chosen.stream);
    }
  }
  for (const Generation& generation : open) engine.Cancel(generation.id);
}

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
  std::atomic<int> opened = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < kThreads; ++i) {
    callers.emplace_back([&, i] { Churn(**engine, seed + i, opened); });
  }
  for (std::thread& caller : callers) caller.join();

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
