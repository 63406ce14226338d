// The runner a program asks for with --device.
//
//   M3_ASSIGN_OR_RETURN(options.device, ParseDevice(absl::GetFlag(FLAGS_device)));
//   M3_ASSIGN_OR_RETURN(auto runner, CreateDeviceRunner(config, weights, options));
#ifndef MEMORY3_ENGINE_DEVICE_RUNNER_H_
#define MEMORY3_ENGINE_DEVICE_RUNNER_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "engine/runner/runner.h"

namespace memory3 {

// kAuto: CUDA where it can be had, else the CPU.
enum class Device : uint8_t { kCpu, kCuda, kAuto };

// "cpu", "cuda" or "auto"; InvalidArgument otherwise.
absl::StatusOr<Device> ParseDevice(absl::string_view name);

// kAuto becomes what it stands for here. FailedPrecondition, with the reason, for kCuda where there
// is none.
absl::StatusOr<Device> ResolveDevice(Device device);

// The most rows that our own product on CUDA takes at once.
inline constexpr int kMostSkinnyRows = 64;

// What runners of either kind are told; what a kind does not know it ignores.
struct DeviceRunnerOptions {
  Device device = Device::kAuto;
  DType dtype = DType::kBF16;
  int max_sequences = 64;
  int max_batch_rows = 256;
  int max_context = 0;         // 0: the model's
  int64_t kv_cache_bytes = 0;  // 0: the runner's default
  std::optional<RunnerMemoryOptions> memory;
  int threads = 0;  // CPU; 0: one per core
  // CUDA: see CudaRunnerOptions.
  double memory_fraction = 0.9;
  bool batch_invariant = false;
  int skinny_rows = kMostSkinnyRows;
  bool graphs = true;
  bool overlap = true;
};

absl::StatusOr<std::unique_ptr<Runner>> CreateDeviceRunner(const ModelConfig& config,
                                                           const ModelWeights& weights,
                                                           const DeviceRunnerOptions& options);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_DEVICE_RUNNER_H_
