// Sizes and places of packed weights and inputs; the layout itself is described in
// matmul_kernels.h. Internal to the matrix product.
#ifndef MEMORY3_ENGINE_CPU_PACKED_LAYOUT_H_
#define MEMORY3_ENGINE_CPU_PACKED_LAYOUT_H_

#include <cstdint>

#include "engine/base/thread_pool.h"
#include "engine/cpu/matmul_kernels.h"
#include "engine/model/safetensors.h"

namespace memory3 {

inline int64_t DivideUp(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

// Inputs of one step: a pair of bf16 or one float, 4 bytes either way.
inline int64_t InputsPerStep(DType dtype) { return kStepInputBytes / SizeOf(dtype); }
inline int64_t InputsPerChunk(DType dtype) { return kChunkSteps * InputsPerStep(dtype); }

// Chunks of a product over `inputs`, the padding included.
inline int64_t PackedChunks(int64_t inputs, DType dtype) {
  return DivideUp(inputs, InputsPerChunk(dtype));
}

inline int64_t PanelBytes(int64_t inputs, DType dtype) {
  return PackedChunks(inputs, dtype) * kChunkBytes;
}

inline int64_t PackedRowBytes(int64_t inputs, DType dtype) {
  return PackedChunks(inputs, dtype) * kCacheLineBytes;
}

// How packed rows are divided into tiles of nearly equal height.
inline int64_t InputTiles(int64_t rows) { return DivideUp(rows, kInputTileRows); }
inline Range RowsOfTile(int64_t rows, int64_t tile) {
  const auto tiles = static_cast<int>(InputTiles(rows));
  return ShareOf(rows, static_cast<int>(tile), tiles);
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_PACKED_LAYOUT_H_
