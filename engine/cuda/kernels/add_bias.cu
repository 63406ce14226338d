#include "engine/cuda/kernels/add_bias.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"

namespace memory3::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T>
M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads) AddBiasKernel(AddBiasArgs<T> args) {
  const int64_t row = blockIdx.x;
  const auto i = static_cast<int32_t>(blockIdx.y * kThreads + threadIdx.x);
  if (i < args.width) args.residual[row * args.width + i] += ToFloat(args.bias[i]);
}

}  // namespace

template <typename T>
void AddBias(Stream& stream, const AddBiasArgs<T>& args) {
  if (args.rows == 0) return;
  const LaunchShape shape = {
      .grid = {static_cast<uint32_t>(args.rows),
               static_cast<uint32_t>((args.width + kThreads - 1) / kThreads)},
      .threads = kThreads};
  Launch(stream, shape, AddBiasKernel<T>, args);
}

template void AddBias(Stream&, const AddBiasArgs<float>&);
template void AddBias(Stream&, const AddBiasArgs<BFloat16>&);

}  // namespace memory3::cuda
