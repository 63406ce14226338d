#include "engine/cuda/kernels/swiglu.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/pack.h"

namespace memory3::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T, int kPack>
M3_DEVICE Pack<float, kPack> LoadBiased(const T* x, const T* bias) {
  const Pack<T, kPack> pack = LoadPack<kPack>(x);
  Pack<float, kPack> sums;
  M3_UNROLL
  for (int j = 0; j < kPack; ++j) {
    sums.values[j] = ToFloat(pack.values[j]) + (bias == nullptr ? 0.0f : ToFloat(bias[j]));
  }
  return sums;
}

// A thread per pack of outputs.
template <typename T, int kPack>
M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads) SwiGluKernel(SwiGluArgs<T> args) {
  LetNextKernelStart();
  WaitForPreviousKernel();
  const int64_t row = blockIdx.x;
  const int32_t i = static_cast<int32_t>(blockIdx.y * kThreads + threadIdx.x) * kPack;
  if (i >= args.mlp) return;
  const T* x = args.gate_up + row * 2 * args.mlp + i;
  const T* gate_bias = args.bias == nullptr ? nullptr : args.bias + i;
  const T* up_bias = args.bias == nullptr ? nullptr : args.bias + args.mlp + i;
  const Pack<float, kPack> gate = LoadBiased<T, kPack>(x, gate_bias);
  const Pack<float, kPack> up = LoadBiased<T, kPack>(x + args.mlp, up_bias);
  Pack<T, kPack> out;
  M3_UNROLL
  for (int j = 0; j < kPack; ++j) {
    const float silu = gate.values[j] / (1.0f + expf(-gate.values[j]));
    out.values[j] = FromFloat<T>(silu * up.values[j]);
  }
  StorePack(args.out + row * args.mlp + i, out);
}

}  // namespace

template <typename T>
void SwiGlu(Stream& stream, const SwiGluArgs<T>& args) {
  if (args.rows == 0) return;
  const bool packs = args.mlp % kRowPack == 0;
  const int32_t per_block = kThreads * (packs ? kRowPack : 1);
  const LaunchShape shape = {
      .grid = {static_cast<uint32_t>(args.rows),
               static_cast<uint32_t>((args.mlp + per_block - 1) / per_block)},
      .threads = kThreads,
      .overlaps = true};
  Launch(stream, shape, packs ? SwiGluKernel<T, kRowPack> : SwiGluKernel<T, 1>, args);
}

template void SwiGlu(Stream&, const SwiGluArgs<float>&);
template void SwiGlu(Stream&, const SwiGluArgs<BFloat16>&);

}  // namespace memory3::cuda
