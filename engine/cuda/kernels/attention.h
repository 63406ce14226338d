// Attention of a step's rows over prefix, memories and paged context: one softmax (paper, eq. 4).
//
// Decode rows (one row per sequence) go through DecodeAttention: the keys of a row are cut into
// parts that run side by side and are merged by log-sum-exp. Rows of prompts go through
// PrefillAttention in tiles. Either way a row's bits depend on what the row sees alone, not on the
// batch, on padding or on how a prompt was cut; the two differ by rounding, so rows of a prompt go
// through PrefillAttention however few they are.
//
// Heads of any size run. Those of kernels/tile_head_dims.h run on tensor cores in bf16, with up to
// 16 query heads per KV head; they read rows of 16 bytes, so that all pointers are aligned to 16
// and strides a multiple of it. The rest, and float, which serves parity, runs in plain kernels.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_ATTENTION_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_ATTENTION_H_

#include <cstdint>

#include "engine/cuda/kernels/step_tables.h"
#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

// Tokens of a block of the cache are a multiple of kAttentionTile.
template <typename T>
struct AttentionArgs {
  AttentionShape shape;
  const T* queries = nullptr;  // (rows, heads, head_dim) after RoPE
  T* out = nullptr;            // (rows, heads, head_dim); padding rows keep theirs
  RowTables rows;
  PagedLayer<T> context;
  MemoryLayer<T> memory;
};

// Keys that are taken together at least.
inline constexpr int32_t kAttentionTile = 16;
// Context tokens of one part; the first part also takes prefix and memories.
inline constexpr int32_t kDecodePartTokens = 128;

// Floats that DecodeAttention needs as scratch for `rows` rows of at most `max_context` tokens.
int64_t DecodeScratchFloats(const AttentionShape& shape, int32_t rows, int32_t max_context);

// Rows [first_row, first_row + rows). `max_context` bounds `visible` of every row; the launch
// depends on these two alone, not on what the tables say. `scratch` is device memory of
// DecodeScratchFloats: all zero bytes before its first use, and from then on used by one stream and
// shape of heads alone.
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
