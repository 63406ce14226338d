// What lies between the product that makes queries, keys and values and the attention that reads
// them: bias, rotary embedding and the write to the paged KV cache, in one pass.
//
// Pair i of a head, dimensions i and i + head_dim / 2, is turned by the angle of (position, i), as
// Hugging Face's Llama does. Keys are stored after rotation, so that they are never turned again.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_ROPE_STORE_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_ROPE_STORE_H_

#include <cstdint>

#include "engine/cuda/kernels/step_tables.h"
#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

// Cosines and sines of every position that a row may have.
struct RopeTable {
  const float* cosines = nullptr;  // (positions, head_dim / 2)
  const float* sines = nullptr;    // (positions, head_dim / 2)
};

template <typename T>
struct RopeStoreArgs {
  AttentionShape shape;     // head_dim is even
  const T* qkv = nullptr;   // (row_count, (heads + 2 kv_heads) * head_dim): queries, keys, values
  const T* bias = nullptr;  // as long as a row of qkv; null: none
  RopeTable rope;
  RowTables rows;        // position, sequence, kv_token; padding rows leave every output alone
  T* queries = nullptr;  // (row_count, heads, head_dim); not scaled
  PagedLayer<T> cache;   // keys, values, block_tokens
  int32_t row_count = 0;
};

template <typename T>
void RopeStore(Stream& stream, const RopeStoreArgs<T>& args);

namespace twin {

// The same in plain loops; all pointers are host memory.
template <typename T>
void RopeStore(const RopeStoreArgs<T>& args);

}  // namespace twin
}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_ROPE_STORE_H_
