// The f32 kernel: for parity with the CPU, not for speed. A warp makes one output of eight rows at
// a time; its lanes share `in`.
#include "engine/cuda/kernels/skinny_epilogue.h"
#include "engine/cuda/kernels/skinny_matmul.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/pack.h"

namespace memory3::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kTileRows = 8;
constexpr int kPack = 4;
static_assert(kSkinnyInputs % kPack == 0);

using Args = SkinnyMatMulArgs<float, float>;

// sums[i] = x[first_row + i] . weight row, the same on all lanes.
M3_DEVICE void Multiply(const Args& args, int32_t first_row, int64_t weight_row,
                        float (&sums)[kTileRows]) {
  M3_UNROLL
  for (float& sum : sums) sum = 0;
  for (int32_t input = Lane() * kPack; input < args.in; input += kWarpSize * kPack) {
    const Pack<float, kPack> w = LoadPack<kPack>(args.weight + weight_row * args.in + input);
    M3_UNROLL
    for (int i = 0; i < kTileRows; ++i) {
      if (first_row + i >= args.rows) continue;
      const float* row = args.x + int64_t{first_row + i} * args.in;
      const Pack<float, kPack> x = LoadPack<kPack>(row + input);
      M3_UNROLL
      for (int j = 0; j < kPack; ++j) sums[i] = fmaf(w.values[j], x.values[j], sums[i]);
    }
  }
  M3_UNROLL
  for (float& sum : sums) sum = WarpSum(sum);
}

M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads) SkinnyF32Kernel(Args args) {
  LetNextKernelStart();
  WaitForPreviousKernel();
  const int32_t feature = static_cast<int32_t>(blockIdx.x) * kWarps + Warp();
  if (feature >= args.out) return;
  for (int32_t first_row = 0; first_row < args.rows; first_row += kTileRows) {
    float sums[kTileRows];
    float up_sums[kTileRows] = {};
    Multiply(args, first_row, feature, sums);
    if (args.epilogue == Epilogue::kSwiGlu) {
      Multiply(args, first_row, int64_t{args.out} + feature, up_sums);
    }
    M3_UNROLL
    for (int i = 0; i < kTileRows; ++i) {
      if (Lane() != i || first_row + i >= args.rows) continue;
      FinishOutput(args, first_row + i, feature, sums[i], up_sums[i]);
    }
  }
}

}  // namespace

template <>
void SkinnyMatMul(Stream& stream, const Args& args) {
  if (args.rows == 0) return;
  const LaunchShape shape = {.grid = {static_cast<uint32_t>((args.out + kWarps - 1) / kWarps)},
                             .threads = kThreads,
                             .overlaps = true};
  Launch(stream, shape, SkinnyF32Kernel, args);
}

}  // namespace memory3::cuda
