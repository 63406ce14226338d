#include "engine/cuda/kernels/embed.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/pack.h"

namespace memory3::cuda {
namespace {

constexpr int kThreads = 256;

// One block per row.
template <typename T, int kPack>
M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads) EmbedKernel(EmbedArgs<T> args) {
  const int64_t row = blockIdx.x;
  const bool padding = args.rows.sequence[row] < 0;
  int32_t token = padding ? 0 : args.rows.token[row];
  if (token < 0) token = args.sampled[SampledTokenAt(token)];
  const T* embedding = args.table + int64_t{token} * args.hidden;
  float* out = args.residual + row * args.hidden;
  for (int32_t i = static_cast<int32_t>(threadIdx.x) * kPack; i < args.hidden;
       i += kThreads * kPack) {
    Pack<float, kPack> values = {};
    if (!padding) {
      const Pack<T, kPack> pack = LoadPack<kPack>(embedding + i);
      M3_UNROLL
      for (int j = 0; j < kPack; ++j) values.values[j] = ToFloat(pack.values[j]);
    }
    StorePack(out + i, values);
  }
}

}  // namespace

template <typename T>
void Embed(Stream& stream, const EmbedArgs<T>& args) {
  if (args.row_count == 0) return;
  const LaunchShape shape = {.grid = {static_cast<uint32_t>(args.row_count)}, .threads = kThreads};
  const bool packs = args.hidden % kRowPack == 0;
  Launch(stream, shape, packs ? EmbedKernel<T, kRowPack> : EmbedKernel<T, 1>, args);
}

template void Embed(Stream&, const EmbedArgs<float>&);
template void Embed(Stream&, const EmbedArgs<BFloat16>&);

}  // namespace memory3::cuda
