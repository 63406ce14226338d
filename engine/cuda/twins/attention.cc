#include "engine/cuda/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace memory3::cuda::twin {
namespace {

template <typename T>
struct Pair {
  const T* key;
  const T* value;
};

template <typename T>
void AddMemory(const AttentionArgs<T>& args, int64_t set, int64_t kv_head,
               std::vector<Pair<T>>& pairs) {
  const MemoryLayer<T>& memory = args.memory;
  const int64_t dim = args.shape.head_dim;
  for (int64_t t = 0; t < memory.prefix_tokens; ++t) {
    const int64_t at = (kv_head * memory.prefix_tokens + t) * dim;
    pairs.push_back({memory.prefix_keys + at, memory.prefix_values + at});
  }
  if (memory.slots == nullptr) return;
  for (int64_t i = 0; i < memory.memories_per_chunk; ++i) {
    const int64_t slot = memory.set_slots[set * memory.memories_per_chunk + i];
    if (slot < 0) continue;
    for (int64_t t = 0; t < memory.slot_tokens[slot]; ++t) {
      const T* keys = memory.slots + slot * memory.slot_stride;
      const T* values = keys + args.shape.kv_heads * memory.kept_tokens * dim;
      const int64_t at = (kv_head * memory.kept_tokens + t) * dim;
      pairs.push_back({keys + at, values + at});
    }
  }
}

template <typename T>
void AddContext(const AttentionArgs<T>& args, int64_t row, int64_t kv_head,
                std::vector<Pair<T>>& pairs) {
  const PagedLayer<T>& context = args.context;
  const int64_t sequence = args.rows.sequence[row];
  for (int64_t t = 0; t < args.rows.visible[row]; ++t) {
    const int64_t block =
        context.block_tables[sequence * context.max_blocks + t / context.block_tokens];
    const int64_t at = ((block * args.shape.kv_heads + kv_head) * context.block_tokens +
                        t % context.block_tokens) *
                       args.shape.head_dim;
    pairs.push_back({context.keys + at, context.values + at});
  }
}

// softmax(q K^T / sqrt(head_dim)) V of one head.
template <typename T>
void Attend(const T* query, const std::vector<Pair<T>>& pairs, int64_t dim, T* out) {
  std::vector<double> weights;
  for (const Pair<T>& pair : pairs) {
    double score = 0;
    for (int64_t d = 0; d < dim; ++d) {
      score += static_cast<double>(ToFloat(query[d])) * static_cast<double>(ToFloat(pair.key[d]));
    }
    weights.push_back(score / std::sqrt(static_cast<double>(dim)));
  }
  const double max = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (double& weight : weights) sum += weight = std::exp(weight - max);
  for (int64_t d = 0; d < dim; ++d) {
    double value = 0;
    for (size_t i = 0; i < pairs.size(); ++i) {
      value += weights[i] / sum * static_cast<double>(ToFloat(pairs[i].value[d]));
    }
    out[d] = FromFloat<T>(static_cast<float>(value));
  }
}

}  // namespace

template <typename T>
void Attention(const AttentionArgs<T>& args, int32_t first_row, int32_t rows) {
  const AttentionShape& shape = args.shape;
  for (int64_t row = first_row; row < int64_t{first_row} + rows; ++row) {
    if (args.rows.sequence[row] < 0) continue;
    for (int64_t kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
      std::vector<Pair<T>> pairs;
      const int64_t set = args.rows.memory_set[row];
      if (set >= 0) AddMemory(args, set, kv_head, pairs);
      AddContext(args, row, kv_head, pairs);
      for (int64_t i = 0; i < shape.group(); ++i) {
        const int64_t at = (row * shape.heads + kv_head * shape.group() + i) * shape.head_dim;
        Attend(args.queries + at, pairs, shape.head_dim, args.out + at);
      }
    }
  }
}

template void Attention(const AttentionArgs<float>&, int32_t, int32_t);
template void Attention(const AttentionArgs<BFloat16>&, int32_t, int32_t);

}  // namespace memory3::cuda::twin
