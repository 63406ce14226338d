// --device where there is no device: in a build without CUDA, and in one with it on a machine (or
// in a process) that has none. In both the program has started, which says that nothing of CUDA is
// needed for that.
#include "engine/device_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/unit/runner/random_model.h"

namespace memory3 {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class DeviceRunnerTest : public testing::Test {
 protected:
  // Hides every device from the CUDA runtime, which reads this when it is first used.
  static void SetUpTestSuite() { setenv("CUDA_VISIBLE_DEVICES", "-1", 1); }
};

RandomModel SmallModel() {
  ModelConfig config;
  config.hidden = 16;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 8;
  config.mlp = 16;
  config.vocab = 30;
  config.max_context = 32;
  config.rms_norm_eps = 1e-5;
  return MakeRandomModel(config, 1);
}

TEST_F(DeviceRunnerTest, NoCudaLibraryIsLoadedWithTheProgram) {
  std::ifstream maps("/proc/self/maps");
  ASSERT_TRUE(maps.good());
  for (std::string line; std::getline(maps, line);) {
    EXPECT_THAT(line, testing::Not(testing::ContainsRegex("/libcu(da|dart|blas)")));
  }
}

TEST_F(DeviceRunnerTest, NamesAreCpuCudaAndAuto) {
  EXPECT_EQ(*ParseDevice("cpu"), Device::kCpu);
  EXPECT_EQ(*ParseDevice("cuda"), Device::kCuda);
  EXPECT_EQ(*ParseDevice("auto"), Device::kAuto);
  const absl::Status status = ParseDevice("CUDA").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--device"));
}

TEST_F(DeviceRunnerTest, AutoFallsBackToTheCpu) {
  EXPECT_EQ(*ResolveDevice(Device::kCpu), Device::kCpu);
  EXPECT_EQ(*ResolveDevice(Device::kAuto), Device::kCpu);
  const RandomModel model = SmallModel();
  const auto runner = CreateDeviceRunner(model.config, model.weights, {.device = Device::kAuto});
  ASSERT_TRUE(runner.ok()) << runner.status();
  EXPECT_THAT((*runner)->info().device, StartsWith("cpu"));
}

TEST_F(DeviceRunnerTest, CudaSaysWhyItIsNotThere) {
  const RandomModel model = SmallModel();
  const auto runner = CreateDeviceRunner(model.config, model.weights, {.device = Device::kCuda});
  EXPECT_EQ(runner.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(runner.status().message()), StartsWith("--device=cuda: "));
  EXPECT_EQ(ResolveDevice(Device::kCuda).status(), runner.status());
}

}  // namespace
}  // namespace memory3
