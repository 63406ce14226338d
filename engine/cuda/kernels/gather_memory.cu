#include "engine/cuda/kernels/select_tokens.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"

namespace memory3::cuda {
namespace {

constexpr int kThreads = 256;

// Grid: (reference_count, kv_heads).
template <typename T, typename Record>
M3_KERNEL void M3_LAUNCH_BOUNDS(kThreads) GatherMemoryKernel(GatherMemoryArgs<T, Record> args) {
  const int64_t reference = blockIdx.x;
  const int64_t kv_head = blockIdx.y;
  const int32_t head_dim = args.shape.head_dim;
  const int32_t* kept = args.kept + (reference * args.shape.kv_heads + kv_head) * args.kept_tokens;
  const int64_t head_elements = int64_t{args.kept_tokens} * head_dim;
  Record* keys = args.records + reference * args.record_stride + kv_head * head_elements;
  Record* values = keys + args.shape.kv_heads * head_elements;
  const PagedLayer<T>& cache = args.cache;
  for (auto i = static_cast<int32_t>(threadIdx.x); i < args.kept_tokens * head_dim; i += kThreads) {
    const int32_t token = kept[i / head_dim];
    float key = 0;
    float value = 0;
    if (token >= 0) {
      const int64_t block =
          cache.block_tables[reference * cache.max_blocks + token / cache.block_tokens];
      const int64_t place =
          (block * args.shape.kv_heads + kv_head) * cache.block_tokens + token % cache.block_tokens;
      key = ToFloat(cache.keys[place * head_dim + i % head_dim]);
      value = ToFloat(cache.values[place * head_dim + i % head_dim]);
    }
    keys[i] = FromFloat<Record>(key);
    values[i] = FromFloat<Record>(value);
  }
}

}  // namespace

template <typename T, typename Record>
void GatherMemory(Stream& stream, const GatherMemoryArgs<T, Record>& args) {
  if (args.reference_count == 0) return;
  const LaunchShape shape = {.grid = {static_cast<uint32_t>(args.reference_count),
                                      static_cast<uint32_t>(args.shape.kv_heads)},
                             .threads = kThreads};
  Launch(stream, shape, GatherMemoryKernel<T, Record>, args);
}

template void GatherMemory(Stream&, const GatherMemoryArgs<float, float>&);
template void GatherMemory(Stream&, const GatherMemoryArgs<float, BFloat16>&);
template void GatherMemory(Stream&, const GatherMemoryArgs<BFloat16, float>&);
template void GatherMemory(Stream&, const GatherMemoryArgs<BFloat16, BFloat16>&);

}  // namespace memory3::cuda
