#include "engine/cuda/kernels/rms_norm.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"

namespace memory3::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T>
M3_KERNEL void RmsNormKernel(RmsNormArgs<T> args) {
  LetNextKernelStart();
  WaitForPreviousKernel();
  float* scratch = SharedMemory<float>();
  const int64_t row = blockIdx.x;
  const int64_t source = args.row_of == nullptr ? row : args.row_of[row];
  const float* x = args.residual + source * args.width;
  float squares = 0;
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < args.width; i += kThreads) {
    squares += x[i] * x[i];
  }
  squares = BlockSum(squares, scratch);
  const float scale = 1.0f / sqrtf(squares / static_cast<float>(args.width) + args.epsilon);
  T* out = args.out + row * args.width;
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < args.width; i += kThreads) {
    out[i] = FromFloat<T>(x[i] * scale * ToFloat(args.weight[i]));
  }
}

}  // namespace

template <typename T>
void RmsNorm(Stream& stream, const RmsNormArgs<T>& args) {
  if (args.rows == 0) return;
  const LaunchShape shape = {.grid = {static_cast<uint32_t>(args.rows)},
                             .threads = kThreads,
                             .shared_bytes = kThreads / kWarpSize * sizeof(float),
                             .overlaps = true};
  Launch(stream, shape, RmsNormKernel<T>, args);
}

template void RmsNorm(Stream&, const RmsNormArgs<float>&);
template void RmsNorm(Stream&, const RmsNormArgs<BFloat16>&);

}  // namespace memory3::cuda
