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
