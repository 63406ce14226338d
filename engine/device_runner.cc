#include "engine/device_runner.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/cpu/cpu_runner.h"
#include "engine/cuda/cuda_runner.h"

namespace memory3 {

absl::StatusOr<Device> ParseDevice(absl::string_view name) {
  if (name == "cpu") return Device::kCpu;
  if (name == "cuda") return Device::kCuda;
  if (name == "auto") return Device::kAuto;
  return absl::InvalidArgumentError(
      absl::StrCat("--device: must be cpu, cuda or auto, got \"", name, "\""));
}

absl::StatusOr<Device> ResolveDevice(Device device) {
  if (device == Device::kCpu) return device;
  const absl::Status available = CudaAvailable();
  if (available.ok()) return Device::kCuda;
  if (device == Device::kAuto) return Device::kCpu;
  return absl::FailedPreconditionError(absl::StrCat("--device=cuda: ", available.message()));
}

static_assert(kMostSkinnyRows == kMaxSkinnyRows);

absl::StatusOr<std::unique_ptr<Runner>> CreateDeviceRunner(const ModelConfig& config,
                                                           const ModelWeights& weights,
                                                           const DeviceRunnerOptions& options) {
  M3_ASSIGN_OR_RETURN(const Device device, ResolveDevice(options.device));
  if (device == Device::kCuda) {
    return CreateCudaRunner(config, weights,
                            {.dtype = options.dtype,
                             .max_sequences = options.max_sequences,
                             .max_batch_rows = options.max_batch_rows,
                             .max_context = options.max_context,
                             .kv_cache_bytes = options.kv_cache_bytes,
                             .memory_fraction = options.memory_fraction,
                             .skinny_rows = options.skinny_rows,
                             .batch_invariant = options.batch_invariant,
                             .graphs = options.graphs,
                             .overlap = options.overlap,
                             .memory = options.memory});
  }
  return CreateCpuRunner(config, weights,
                         {.dtype = options.dtype,
                          .threads = options.threads,
                          .max_sequences = options.max_sequences,
                          .max_batch_rows = options.max_batch_rows,
                          .max_context = options.max_context,
                          .kv_cache_bytes = options.kv_cache_bytes,
                          .memory = options.memory});
}

}  // namespace memory3
