#include "engine/cpu/cpu_runner_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace memory3 {
namespace {

ModelConfig Config() {
  ModelConfig config;
  config.hidden = 64;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.mlp = 96;
  config.vocab = 1000;
  config.max_context = 100;
  return config;
}

TEST(CpuRunnerPlanTest, DefaultsHoldEverySequenceOfASmallModel) {
  CpuRunnerOptions options;
  options.max_sequences = 3;
  const absl::StatusOr<CpuRunnerPlan> plan = PlanCpuRunner(Config(), options);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->max_context, 100);
  EXPECT_EQ(plan->kv_blocks, 3 * 7);
  EXPECT_GE(plan->threads, 1);
  // layers * kv_heads * (keys and values) * tokens * head_dim * 2 bytes
  EXPECT_EQ(plan->kv_shape.block_bytes(), 2 * 2 * 2 * 16 * 16 * 2);
}

TEST(CpuRunnerPlanTest, TheDefaultCacheIsBoundedButHoldsOneWholeSequence) {
  ModelConfig config = Config();
  config.layers = 100;
  config.kv_heads = 32;
  config.head_dim = 128;
  config.max_context = 16384;  // 1.6 MiB a token: 25 GiB a sequence
  CpuRunnerOptions options;
  EXPECT_EQ(PlanCpuRunner(config, options)->kv_blocks, 16384 / 16);
  options.max_context = 100;
  const absl::StatusOr<CpuRunnerPlan> plan = PlanCpuRunner(config, options);
  EXPECT_LE(plan->kv_bytes(), kDefaultKvCacheBytes);
  EXPECT_GT(plan->kv_bytes(), kDefaultKvCacheBytes * 9 / 10);
}

TEST(CpuRunnerPlanTest, NamesTheOptionThatCannotWork) {
  const auto expect = [](const std::string& name, std::function<void(CpuRunnerOptions&)> change) {
    CpuRunnerOptions options;
    change(options);
    const absl::Status status = PlanCpuRunner(Config(), options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(name));
  };
  expect("dtype", [](CpuRunnerOptions& o) { o.dtype = DType::kF16; });
  expect("threads", [](CpuRunnerOptions& o) { o.threads = -1; });
  expect("threads", [](CpuRunnerOptions& o) { o.threads = 1 << 20; });
  expect("max_sequences", [](CpuRunnerOptions& o) { o.max_sequences = 0; });
  expect("max_batch_rows", [](CpuRunnerOptions& o) { o.max_batch_rows = 0; });
  expect("max_context", [](CpuRunnerOptions& o) { o.max_context = 101; });
  expect("kv_block_tokens", [](CpuRunnerOptions& o) { o.kv_block_tokens = 24; });
  expect("kv_block_tokens", [](CpuRunnerOptions& o) { o.kv_block_tokens = 0; });
  expect("kv_cache_bytes", [](CpuRunnerOptions& o) { o.kv_cache_bytes = -1; });
  expect("kv_cache_bytes", [](CpuRunnerOptions& o) { o.kv_cache_bytes = 4095; });
}

CpuRunnerOptions WithMemory() {
  CpuRunnerOptions options;
  RunnerMemoryOptions& memory = options.memory.emplace();
  memory.config.layers = {0};
  memory.config.reference_tokens = 40;
  memory.prefix_ids = {1, 5};
  memory.slots = 10;
  return options;
}

TEST(CpuRunnerPlanTest, MemoryIsPlannedWithTheRest) {
  CpuRunnerOptions options = WithMemory();
  const absl::StatusOr<CpuRunnerPlan> plan = PlanCpuRunner(Config(), options);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_TRUE(plan->memory.has_value());
  EXPECT_EQ(plan->memory->max_references, kEncodeRows / 40);
  EXPECT_GE(plan->work_rows, 40 * plan->memory->max_references);
  // One tile per KV head: for the prefix in both layers, for a slot in the memory layer, for an
  // encode three tiles of that layer.
  const int64_t tiles = 2 + 10 + 3 * plan->memory->max_references;
  EXPECT_EQ(plan->memory_bytes, 2 * tiles * plan->kv_shape.tile_bytes());
  const int64_t needed =
      plan->weight_bytes + plan->kv_bytes() + plan->workspace_bytes + plan->memory_bytes;
  EXPECT_TRUE(CheckMemory(*plan, needed).ok());
  const absl::Status status = CheckMemory(*plan, needed - 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("memory slots"));
}

TEST(CpuRunnerPlanTest, NamesTheMemoryOptionThatCannotWork) {
  const auto expect = [](const std::string& name,
                         std::function<void(RunnerMemoryOptions&)> change) {
    CpuRunnerOptions options = WithMemory();
    change(*options.memory);
    const absl::Status status = PlanCpuRunner(Config(), options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(name));
  };
  expect("memory.config.layers", [](RunnerMemoryOptions& m) { m.config.layers = {}; });
  expect("memory.config.layers", [](RunnerMemoryOptions& m) { m.config.layers = {2}; });
  expect("memory.config.layers", [](RunnerMemoryOptions& m) { m.config.layers = {-1}; });
  expect("memory.config.layers", [](RunnerMemoryOptions& m) { m.config.layers = {1, 0}; });
  expect("memory.config.layers", [](RunnerMemoryOptions& m) { m.config.layers = {1, 1}; });
  expect("reference_tokens", [](RunnerMemoryOptions& m) { m.config.reference_tokens = 0; });
  expect("kept_tokens", [](RunnerMemoryOptions& m) { m.config.kept_tokens = 0; });
  expect("kept_tokens", [](RunnerMemoryOptions& m) { m.config.kept_tokens = 41; });
  expect("memories_per_chunk", [](RunnerMemoryOptions& m) { m.config.memories_per_chunk = 0; });
  expect("chunk_tokens", [](RunnerMemoryOptions& m) { m.config.chunk_tokens = 0; });
  expect("memory.slots", [](RunnerMemoryOptions& m) { m.slots = 4; });
  expect("memory.slots", [](RunnerMemoryOptions& m) { m.slots = kMaxMemorySlots + 1; });
  expect("memory.dtype", [](RunnerMemoryOptions& m) { m.dtype = DType::kF16; });
  expect("memory.prefix_ids", [](RunnerMemoryOptions& m) { m.prefix_ids = {}; });
  expect("memory.prefix_ids", [](RunnerMemoryOptions& m) { m.prefix_ids = {1000}; });
  expect("memory.prefix_ids", [](RunnerMemoryOptions& m) { m.prefix_ids = {-1}; });
  expect("no room", [](RunnerMemoryOptions& m) { m.config.reference_tokens = 98; });
}

TEST(CpuRunnerPlanTest, SaysWhatIsMissingWhenMemoryIsShort) {
  const absl::StatusOr<CpuRunnerPlan> plan = PlanCpuRunner(Config(), {});
  const int64_t needed = plan->weight_bytes + plan->kv_bytes() + plan->workspace_bytes;
  EXPECT_TRUE(CheckMemory(*plan, needed).ok());
  EXPECT_TRUE(CheckMemory(*plan, std::nullopt).ok());
  const absl::Status status = CheckMemory(*plan, needed - 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("KV cache"));
}

}  // namespace
}  // namespace memory3
