#include "engine/cuda/kernels/rope_store.h"

#include <vector>

namespace memory3::cuda::twin {
namespace {

void Rotate(const RopeTable& rope, int64_t position, std::vector<float>& head) {
  const size_t half = head.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    const double cosine = rope.cosines[position * half + i];
    const double sine = rope.sines[position * half + i];
    const double a = head[i];
    const double b = head[half + i];
    head[i] = static_cast<float>(a * cosine - b * sine);
    head[half + i] = static_cast<float>(b * cosine + a * sine);
  }
}

template <typename T>
void Store(const std::vector<float>& head, T* out) {
  for (const float value : head) *out++ = FromFloat<T>(value);
}

}  // namespace

template <typename T>
void RopeStore(const RopeStoreArgs<T>& args) {
  const AttentionShape& shape = args.shape;
  const int64_t dim = shape.head_dim;
  const int64_t width = (shape.heads + 2 * shape.kv_heads) * dim;
  for (int64_t row = 0; row < args.row_count; ++row) {
    if (args.rows.sequence[row] < 0) continue;
    const auto head_at = [&](int64_t column, bool turned) {
      std::vector<float> head(dim);
      for (int64_t i = 0; i < dim; ++i) {
        head[i] = ToFloat(args.qkv[row * width + column + i]);
        if (args.bias != nullptr) head[i] += ToFloat(args.bias[column + i]);
      }
      if (turned) Rotate(args.rope, args.rows.position[row], head);
      return head;
    };
    for (int64_t h = 0; h < shape.heads; ++h) {
      Store(head_at(h * dim, true), args.queries + (row * shape.heads + h) * dim);
    }
    const int64_t block_tokens = args.cache.block_tokens;
    const int64_t block = args.rows.kv_token[row] / block_tokens;
    const int64_t token = args.rows.kv_token[row] % block_tokens;
    for (int64_t h = 0; h < shape.kv_heads; ++h) {
      const int64_t at = ((block * shape.kv_heads + h) * block_tokens + token) * dim;
      const int64_t key_column = (shape.heads + h) * dim;
      Store(head_at(key_column, true), args.cache.keys + at);
      Store(head_at(key_column + shape.kv_heads * dim, false), args.cache.values + at);
    }
  }
}

template void RopeStore(const RopeStoreArgs<float>&);
template void RopeStore(const RopeStoreArgs<BFloat16>&);

}  // namespace memory3::cuda::twin
