#include "server/reply_building.h"

#include <gtest/gtest.h>

namespace memory3 {
namespace {

GenerationEvent EventWithChunks() {
  ChunkReport chunk;
  chunk.chunk = 3;
  chunk.first_token = 192;
  chunk.epoch = 5;
  chunk.memories = {{.id = 9, .score = 0.5f, .tier = MemoryTier::kDevice, .load_time = {}},
                    {.id = 8, .score = 0.25f, .tier = MemoryTier::kHost, .load_time = {}},
                    {.id = 7, .tier = MemoryTier::kDisk, .load_time = absl::Milliseconds(2)},
                    {.id = 6, .tier = MemoryTier::kEncoded, .load_time = {}}};
  chunk.retrieval_time = absl::Milliseconds(3);
  chunk.wait_time = absl::Milliseconds(4);
  chunk.late = true;
  chunk.degraded = true;
  chunk.reason = "slow disk";
  GenerationEvent event;
  event.chunks = {chunk, ChunkReport()};
  return event;
}

TEST(ReplyBuildingTest, ReportsTheMemoriesOfChunks) {
  v1::ChatChunk reply;
  AppendEvent(EventWithChunks(), {}, &reply);
  ASSERT_EQ(reply.memory_chunks_size(), 2);
  const v1::MemoryChunk& chunk = reply.memory_chunks(0);
  EXPECT_EQ(chunk.index(), 3);
  EXPECT_EQ(chunk.first_token(), 192);
  EXPECT_EQ(chunk.bank_epoch(), 5u);
  EXPECT_DOUBLE_EQ(chunk.retrieval_seconds(), 0.003);
  EXPECT_DOUBLE_EQ(chunk.wait_seconds(), 0.004);
  EXPECT_TRUE(chunk.late());
  EXPECT_TRUE(chunk.degraded());
  EXPECT_EQ(chunk.reason(), "slow disk");
  ASSERT_EQ(chunk.memories_size(), 4);
  EXPECT_EQ(chunk.memories(0).memory_id(), 9u);
  EXPECT_EQ(chunk.memories(0).score(), 0.5f);
  EXPECT_EQ(chunk.memories(0).tier(), v1::MEMORY_TIER_DEVICE);
  EXPECT_EQ(chunk.memories(1).tier(), v1::MEMORY_TIER_HOST);
  EXPECT_EQ(chunk.memories(2).tier(), v1::MEMORY_TIER_DISK);
  EXPECT_DOUBLE_EQ(chunk.memories(2).load_seconds(), 0.002);
  EXPECT_EQ(chunk.memories(3).tier(), v1::MEMORY_TIER_ENCODED);

  v1::ChatCompletion completion;
  AppendEvent(EventWithChunks(), {}, &completion);
  AppendEvent(EventWithChunks(), {}, &completion);
  EXPECT_EQ(completion.memory_chunks_size(), 4);
}

TEST(ReplyBuildingTest, UsageTellsOfMemoryUnlessThereWasNone) {
  GenerationEvent event;
  event.usage.emplace();
  event.usage->prompt_tokens = 4;
  v1::ChatChunk plain;
  AppendEvent(event, {}, &plain);
  EXPECT_EQ(plain.usage().prompt_tokens(), 4);
  EXPECT_FALSE(plain.usage().has_memory());
  event.usage->memory_chunks = 7;
  event.usage->late_chunks = 2;
  event.usage->degraded_chunks = 1;
  event.usage->memories = 30;
  event.usage->memory_wait = absl::Seconds(2);
  v1::ChatChunk reply;
  AppendEvent(event, {}, &reply);
  const v1::MemoryUsage& memory = reply.usage().memory();
  EXPECT_EQ(memory.chunks(), 7);
  EXPECT_EQ(memory.late_chunks(), 2);
  EXPECT_EQ(memory.degraded_chunks(), 1);
  EXPECT_EQ(memory.memories(), 30);
  EXPECT_EQ(memory.wait_seconds(), 2);
}

}  // namespace
}  // namespace memory3
