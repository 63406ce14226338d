// memory3-cuda-info: prints the CUDA driver, runtime and devices; exit status 1 when no device can
// be used. Built by the `cuda` preset only.
#include <cstdio>

#include "engine/base/flag_help.h"
#include "engine/cuda/device.h"

namespace {

constexpr char kUsage[] = R"(usage: memory3-cuda-info

Prints the CUDA driver, the runtime this build uses and every device. Exit status 1: there is no
driver or no device.

  memory3-cuda-info)";

}  // namespace

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {kUsage, {}})) return 0;
  memory3::ParseFlagsOrExit(argc, argv);

  const absl::StatusOr<memory3::CudaPlatform> platform = memory3::QueryCudaPlatform();
  if (!platform.ok()) {
    std::fprintf(stderr, "memory3-cuda-info: %s\n",
                 std::string(platform.status().message()).c_str());
    return 1;
  }
  std::printf("driver %d, runtime %d, devices %zu\n", platform->driver_version,
              platform->runtime_version, platform->devices.size());
  for (const memory3::CudaDevice& device : platform->devices) {
    std::printf("%d: %s, sm_%d%d, %d multiprocessors, %.1f GiB, %.0f GB/s\n", device.ordinal,
                device.name.c_str(), device.compute_major, device.compute_minor,
                device.multiprocessors, static_cast<double>(device.memory_bytes) / (1 << 30),
                device.memory_bytes_per_second / 1e9);
  }
  return platform->devices.empty() ? 1 : 0;
}
