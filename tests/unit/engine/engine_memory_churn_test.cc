// Many streams with memory, opened and left at random moments while retrievals and reads are slow,
// fail or lie, leave nothing behind.
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/engine_churn.h"
#include "tests/unit/engine/memory_harness.h"

namespace memory3 {
namespace {

TEST(EngineMemoryChurnTest, StreamsLeaveEverySlotAndBlockFree) {
  std::random_device entropy;
  const uint32_t seed = entropy();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  MemoryHarnessOptions options;
  options.info.max_sequences = 6;
  options.info.memory.slots = 14;  // three sequences and a bit
  options.memory = {.lead_tokens = 1,
                    .boundary_deadline = absl::Microseconds(300),
                    .strict_timeout = absl::Milliseconds(5)};
  options.engine = {.max_queued_requests = 32, .max_batch_tokens = 24, .max_stream_events = 8};
  options.host_cache_bytes = 10 * kRecordAlignment;
  options.max_delay_us = 200;
  options.seed = seed;
  options.real_clock = true;
  MemoryHarness harness(options);
  for (MemoryId id = 0; id < options.bank_size; id += 9) harness.bank.Damage(id);
  for (MemoryId id = 4; id < options.bank_size; id += 9) harness.bank.Delete(id);
  harness.retriever.SetChange([&harness, random = std::mt19937(seed)](RetrievalAnswer right) mutable
                              -> absl::StatusOr<RetrievalAnswer> {
    if (random() % 8 == 0) harness.bank.FailReads(3, absl::InternalError("input/output error"));
    switch (random() % 16) {
      case 0:
      case 1:
        return absl::UnavailableError("no sidecar");
      case 2:
        right.results.pop_back();
        return right;
      case 3:
        right.epoch += 1;
        return right;
      case 4:
        for (std::vector<RetrievedMemory>& result : right.results) result.clear();
        return right;
      default:
        return right;
    }
  });
  ChurnOptions churn = {.streams = 2'000, .open_per_thread = 6};
  churn.change = [](std::mt19937& random, GenerationRequest& request) {
    request.memory = {.enabled = random() % 4 != 0,
                      .policy = random() % 2 == 0 ? MemoryPolicy::kStrict : MemoryPolicy::kDeadline,
                      .required = random() % 8 == 0,
                      .details = random() % 2 == 0};
  };
  Churn(*harness.engine, churn, seed);

  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness.AllFree());
  EXPECT_THAT(harness.runner->violations(), testing::IsEmpty());
  // Everything can be reserved again, and works; the answer fits the stream's buffer, however late
  // this thread reads it.
  harness.retriever.SetChange(nullptr);
  harness.bank.FailReads(0, absl::OkStatus());
  GenerationRequest request = MemoryRequestFor(PromptOf(20), 7, MemoryPolicy::kDeadline);
  EXPECT_TRUE(ReadAll(*harness.Submit(request).stream).last.status.ok());
}

}  // namespace
}  // namespace memory3
