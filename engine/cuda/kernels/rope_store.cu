#include "engine/cuda/kernels/rope_store.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/pack.h"

namespace memory3::cuda {
namespace {

constexpr int kThreads = 256;

// kPack neighbouring elements of one half of a head, bias added.
template <typename T, int kPack>
M3_DEVICE Pack<float, kPack> LoadBiased(const T* x, const T* bias) {
  const Pack<T, kPack> pack = LoadPack<kPack>(x);
  Pack<float, kPack> sums;
  M3_UNROLL
  for (int j = 0; j < kPack; ++j) sums.values[j] = ToFloat(pack.values[j]);
  if (bias == nullptr) return sums;
  const Pack<T, kPack> more = LoadPack<kPack>(bias);
  M3_UNROLL
  for (int j = 0; j < kPack; ++j) sums.values[j] += ToFloat(more.values[j]);
  return sums;
}

template <typename T, int kPack>
M3_DEVICE void Store(const Pack<float, kPack>& values, T* out) {
  Pack<T, kPack> pack;
  M3_UNROLL
  for (int j = 0; j < kPack; ++j) pack.values[j] = FromFloat<T>(values.values[j]);
  StorePack(out, pack);
}

// Where head `head` of row `row`, counted over queries, keys and values, goes to.
template <typename T>
M3_DEVICE T* Target(const RopeStoreArgs<T>& args, int64_t row, int32_t head) {
  const AttentionShape& shape = args.shape;
  if (head < shape.heads) return args.queries + (row * shape.heads + head) * shape.head_dim;
  const bool is_key = head < shape.heads + shape.kv_heads;
  const int32_t kv_head = head - shape.heads - (is_key ? 0 : shape.kv_heads);
  const int32_t place = args.rows.kv_token[row];
  const int64_t block = place / args.cache.block_tokens;
  const int32_t token = place % args.cache.block_tokens;
  const int64_t at = (block * shape.kv_heads + kv_head) * args.cache.block_tokens + token;
  return (is_key ? args.cache.keys : args.cache.values) + at * shape.head_dim;
}

// One block per row; a thread takes kPack pairs of dimensions of one head at a time.
template <typename T, int kPack>
M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads) RopeStoreKernel(RopeStoreArgs<T> args) {
  LetNextKernelStart();
  WaitForPreviousKernel();
  const int64_t row = blockIdx.x;
  if (args.rows.sequence[row] < 0) return;
  const AttentionShape& shape = args.shape;
  const int32_t half = shape.head_dim / 2;
  const int32_t packs = half / kPack;
  const int32_t turned_heads = shape.heads + shape.kv_heads;
  const int32_t all_heads = turned_heads + shape.kv_heads;
  const int64_t angles = int64_t{args.rows.position[row]} * half;
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < all_heads * packs; i += kThreads) {
    const int32_t head = i / packs;
    const int32_t pair = i % packs * kPack;
    const int32_t column = head * shape.head_dim + pair;
    const T* x = args.qkv + row * all_heads * shape.head_dim + column;
    const T* bias = args.bias == nullptr ? nullptr : args.bias + column;
    const T* bias_b = bias == nullptr ? nullptr : bias + half;
    Pack<float, kPack> a = LoadBiased<T, kPack>(x, bias);
    Pack<float, kPack> b = LoadBiased<T, kPack>(x + half, bias_b);
    if (head < turned_heads) {
      const Pack<float, kPack> cosines = LoadPack<kPack>(args.rope.cosines + angles + pair);
      const Pack<float, kPack> sines = LoadPack<kPack>(args.rope.sines + angles + pair);
      M3_UNROLL
      for (int j = 0; j < kPack; ++j) {
        const float first = a.values[j];
        const float second = b.values[j];
        a.values[j] = first * cosines.values[j] - second * sines.values[j];
        b.values[j] = second * cosines.values[j] + first * sines.values[j];
      }
    }
    T* out = Target(args, row, head) + pair;
    Store<T, kPack>(a, out);
    Store<T, kPack>(b, out + half);
  }
}

}  // namespace

template <typename T>
void RopeStore(Stream& stream, const RopeStoreArgs<T>& args) {
  if (args.row_count == 0) return;
  const LaunchShape shape = {
      .grid = {static_cast<uint32_t>(args.row_count)}, .threads = kThreads, .overlaps = true};
  const bool packs = args.shape.head_dim / 2 % kRowPack == 0;
  Launch(stream, shape, packs ? RopeStoreKernel<T, kRowPack> : RopeStoreKernel<T, 1>, args);
}

template void RopeStore(Stream&, const RopeStoreArgs<float>&);
template void RopeStore(Stream&, const RopeStoreArgs<BFloat16>&);

}  // namespace memory3::cuda
