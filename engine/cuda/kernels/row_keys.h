// Where the keys and values lie that one row sees in one KV head: a run of memory places (the
// prefix, then all places of every slot of its set, of which some may be empty), then its context.
// Device code.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_ROW_KEYS_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_ROW_KEYS_H_

#include <cstdint>

#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/platform/kernel.h"

namespace memory3::cuda {

template <typename T>
struct KeyValue {
  const T* key = nullptr;  // (head_dim); null: nothing here
  const T* value = nullptr;
};

// Places of the memory run of a row with a set.
template <typename T>
M3_HOST_DEVICE int32_t MemoryPlaces(const MemoryLayer<T>& memory) {
  const bool has_slots = memory.slots != nullptr;
  return memory.prefix_tokens + (has_slots ? memory.memories_per_chunk * memory.kept_tokens : 0);
}

template <typename T>
class RowKeys {
 public:
  M3_DEVICE RowKeys(const AttentionArgs<T>& args, int32_t row, int32_t kv_head)
      : args_(args),
        kv_head_(kv_head),
        sequence_(args.rows.sequence[row]),
        set_(args.rows.memory_set[row]),
        visible_(args.rows.visible[row]) {}

  M3_DEVICE bool is_padding() const { return sequence_ < 0; }
  M3_DEVICE int32_t visible() const { return visible_; }
  M3_DEVICE int32_t memory_places() const { return set_ < 0 ? 0 : MemoryPlaces(args_.memory); }

  // 0 <= place < memory_places().
  M3_DEVICE KeyValue<T> Memory(int32_t place) const {
    const MemoryLayer<T>& memory = args_.memory;
    const int64_t head_dim = args_.shape.head_dim;
    if (place < memory.prefix_tokens) {
      const int64_t at = (int64_t{kv_head_} * memory.prefix_tokens + place) * head_dim;
      return {memory.prefix_keys + at, memory.prefix_values + at};
    }
    const int32_t index = (place - memory.prefix_tokens) / memory.kept_tokens;
    const int32_t token = (place - memory.prefix_tokens) % memory.kept_tokens;
    const int32_t slot = memory.set_slots[int64_t{set_} * memory.memories_per_chunk + index];
    if (slot < 0 || token >= memory.slot_tokens[slot]) return {};
    const int64_t head_elements = memory.kept_tokens * head_dim;
    const T* key =
        memory.slots + slot * memory.slot_stride + kv_head_ * head_elements + token * head_dim;
    return {key, key + args_.shape.kv_heads * head_elements};
  }

  // 0 <= token < visible().
  M3_DEVICE KeyValue<T> Context(int32_t token) const {
    const int64_t at = (int64_t{ContextRun(token)} * kAttentionTile + token % kAttentionTile) *
                       args_.shape.head_dim;
    return {args_.context.keys + at, args_.context.values + at};
  }
  // Tokens lie together in runs of kAttentionTile; where the token's run lies, in runs from the
  // begin of the cache.
  M3_DEVICE int32_t ContextRun(int32_t token) const {
    const PagedLayer<T>& context = args_.context;
    const int32_t block =
        context
            .block_tables[int64_t{sequence_} * context.max_blocks + token / context.block_tokens];
    return (block * args_.shape.kv_heads + kv_head_) * (context.block_tokens / kAttentionTile) +
           token % context.block_tokens / kAttentionTile;
  }

 private:
  const AttentionArgs<T>& args_;
  int32_t kv_head_;
  int32_t sequence_;
  int32_t set_;
  int32_t visible_;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_ROW_KEYS_H_
