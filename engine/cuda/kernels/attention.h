// Attention of a step's rows over prefix, memories and paged context: one softmax (paper, eq. 4).
//
// Decode rows (one row per sequence) go through DecodeAttention: the keys of a row are cut into
// parts that run side by side and are merged by log-sum-exp. Where a part ends depends on the row's
// own position alone, so a row's bits do not depend on the batch. Rows of prompts go through
// PrefillAttention in tiles.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_ATTENTION_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_ATTENTION_H_

#include <cstdint>

#include "engine/cuda/kernels/step_tables.h"
#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

template <typename T>
struct AttentionArgs {
  AttentionShape shape;
  const T* queries = nullptr;  // (rows, heads, head_dim) after RoPE
  T* out = nullptr;            // (rows, heads, head_dim)
  RowTables rows;
  PagedLayer<T> context;
  MemoryLayer<T> memory;
};

// Context tokens of one part; the first part also takes prefix and memories.
inline constexpr int32_t kDecodePartTokens = 256;

// Floats that DecodeAttention needs as scratch for `rows` rows of at most `max_context` tokens.
int64_t DecodeScratchFloats(const AttentionShape& shape, int32_t rows, int32_t max_context);

// Rows [first_row, first_row + rows). `max_context` bounds `visible` of every row; `scratch` is
// device memory of DecodeScratchFloats.
template <typename T>
void DecodeAttention(Stream& stream, const AttentionArgs<T>& args, int32_t first_row, int32_t rows,
                     int32_t max_context, float* scratch);

// Consecutive rows of one sequence with one memory set, at most PrefillTileRows(shape) of them.
struct PrefillTile {
  int32_t first_row = 0;
  int32_t rows = 0;
};
int32_t PrefillTileRows(const AttentionShape& shape);

// `tiles`: device memory. One launch for all tiles, whatever their memory sets.
template <typename T>
void PrefillAttention(Stream& stream, const AttentionArgs<T>& args, const PrefillTile* tiles,
                      int32_t tile_count);

namespace twin {

// The same in plain loops; all pointers are host memory. Rows of either kind.
template <typename T>
void Attention(const AttentionArgs<T>& args, int32_t first_row, int32_t rows);

}  // namespace twin
}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_ATTENTION_H_
