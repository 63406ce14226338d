// What the kernels of one step know of its rows, sequences and memory sets: arrays in device
// memory, written by one copy per step.
//
// A step may be padded to a size that a graph was captured for: padding rows have sequence -1, and
// kernels leave their outputs alone or harmless.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_STEP_TABLES_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_STEP_TABLES_H_

#include <cstdint>

namespace memory3::cuda {

struct RowTables {
  const int32_t* token = nullptr;     // (rows)
  const int32_t* position = nullptr;  // (rows) of RoPE
  const int32_t* sequence = nullptr;  // (rows) row of block_tables; -1: padding
  const int32_t* kv_token = nullptr;  // (rows) where its key and value go: block * block_tokens + i
  const int32_t* visible = nullptr;   // (rows) context tokens it attends to, itself included
  const int32_t* memory_set = nullptr;  // (rows) row of set_slots; -1: plain decoder, no prefix
};

// One layer of the paged KV cache: (blocks, kv_heads, block_tokens, head_dim) each.
template <typename T>
struct PagedLayer {
  T* keys = nullptr;
  T* values = nullptr;
  int32_t block_tokens = 0;
  const int32_t* block_tables = nullptr;  // (sequences, max_blocks) block ids
  int32_t max_blocks = 0;
};

// What a row with a memory set sees before its context: the reference prefix, then the memories of
// the set in its order.
template <typename T>
struct MemoryLayer {
  const T* prefix_keys = nullptr;  // (kv_heads, prefix_tokens, head_dim)
  const T* prefix_values = nullptr;
  int32_t prefix_tokens = 0;
  // Null in layers without memories. Slot s begins at slots + s * slot_stride: (2, kv_heads,
  // kept_tokens, head_dim), keys then values.
  const T* slots = nullptr;
  int64_t slot_stride = 0;  // elements
  int32_t kept_tokens = 0;
  const int32_t* slot_tokens = nullptr;  // (slots) valid ones of kept_tokens
  const int32_t* set_slots = nullptr;    // (sets, memories_per_chunk) slot ids, then -1
  int32_t memories_per_chunk = 0;
};

struct AttentionShape {
  int32_t heads = 0;  // query heads
  int32_t kv_heads = 0;
  int32_t head_dim = 0;
  constexpr int32_t group() const { return heads / kv_heads; }  // query heads of a KV head
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_STEP_TABLES_H_
