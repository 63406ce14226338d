#include "engine/cuda/cuda_runner_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/unit/runner/memory_scene.h"

namespace memory3::cuda {
namespace {

constexpr int64_t kPlenty = int64_t{1} << 40;

ModelConfig Config() { return MemorySceneConfig(8, 1, 10); }

CudaRunnerOptions Options() {
  CudaRunnerOptions options;
  options.max_sequences = 3;
  options.memory = MemorySceneOptions();
  return options;
}

TEST(CudaRunnerPlanTest, TheCacheTakesWhatIsLeftButNoMoreThanEverySequenceCanUse) {
  const absl::StatusOr<CudaRunnerPlan> all = PlanCudaRunner(Config(), Options(), kPlenty);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->kv_blocks, 3 * 10);
  EXPECT_THAT(all->Summary(), testing::HasSubstr("30 blocks of 16 tokens"));
  // Layers * kv_heads * (keys and values) * tokens * head_dim * 2 bytes.
  const int64_t block = 4 * 1 * 2 * 16 * 10 * 2;
  EXPECT_EQ(all->kv_bytes, 30 * block);
  CudaRunnerOptions options = Options();
  options.memory_fraction = 0.5;
  const int64_t rest = all->device_bytes() - all->kv_bytes;
  const auto some = PlanCudaRunner(Config(), options, 2 * (rest + 17 * block));
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->kv_blocks, 17);
  options.kv_cache_bytes = 12 * block + 1;
  EXPECT_EQ(PlanCudaRunner(Config(), options, kPlenty)->kv_blocks, 12);
}

TEST(CudaRunnerPlanTest, RefusesWhatDoesNotFitWithTheNumbers) {
  const absl::StatusOr<CudaRunnerPlan> plan = PlanCudaRunner(Config(), Options(), kPlenty);
  ASSERT_TRUE(plan.ok());
  // One sequence's worth of blocks is the least.
  const int64_t least = plan->device_bytes() - plan->kv_bytes + plan->kv_bytes / 3;
  CudaRunnerOptions options = Options();
  options.memory_fraction = 1;
  EXPECT_TRUE(PlanCudaRunner(Config(), options, least).ok());
  const absl::Status status = PlanCudaRunner(Config(), options, least - 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  for (const char* part : {"weights", "KV cache", "memory slots", "workspaces", "free"}) {
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(part));
  }
}

TEST(CudaRunnerPlanTest, NamesTheOptionThatCannotWork) {
  const auto expect = [](const std::string& name, std::function<void(CudaRunnerOptions&)> change) {
    CudaRunnerOptions options = Options();
    change(options);
    const absl::Status status = PlanCudaRunner(Config(), options, kPlenty).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(name));
  };
  expect("dtype", [](CudaRunnerOptions& o) { o.dtype = DType::kF16; });
  expect("max_sequences", [](CudaRunnerOptions& o) { o.max_sequences = 0; });
  expect("max_batch_rows", [](CudaRunnerOptions& o) { o.max_batch_rows = 0; });
  expect("max_context", [](CudaRunnerOptions& o) { o.max_context = 161; });
  expect("kv_block_tokens", [](CudaRunnerOptions& o) { o.kv_block_tokens = 24; });
  expect("kv_cache_bytes", [](CudaRunnerOptions& o) { o.kv_cache_bytes = 100; });
  expect("memory_fraction", [](CudaRunnerOptions& o) { o.memory_fraction = 0; });
  expect("memory_fraction", [](CudaRunnerOptions& o) { o.memory_fraction = 1.5; });
  expect("skinny_rows", [](CudaRunnerOptions& o) { o.skinny_rows = 65; });
  expect("memory.slots", [](CudaRunnerOptions& o) { o.memory->slots = 3; });
  expect("no room", [](CudaRunnerOptions& o) { o.max_context = 43; });
  ModelConfig config = Config();
  config.mlp = 33;
  CudaRunnerOptions options = Options();
  EXPECT_TRUE(PlanCudaRunner(config, options, kPlenty).ok());
  options.batch_invariant = true;
  EXPECT_THAT(std::string(PlanCudaRunner(config, options, kPlenty).status().message()),
              testing::HasSubstr("batch_invariant"));
}

}  // namespace
}  // namespace memory3::cuda
