// The inner products of matmul.h, one table per instruction set. Internal to the matrix product.
//
// A step is 4 bytes of a row: two inputs in bf16, one in f32. A chunk is the steps of one cache
// line. Inputs are zero-padded to whole chunks.
//
// Weights: panels of kPanelOutputs outputs, one step after the other. A bf16 step holds two inputs
// of every output, interleaved (output 0: inputs 2s, 2s+1; output 1: ...), as vdpbf16ps reads them.
//
// Inputs: tiles of up to kInputTileRows rows, one chunk after the other; in a chunk the rows follow
// each other. So a tile is read as one stream, and rows never meet in the same cache set.
#ifndef MEMORY3_ENGINE_CPU_MATMUL_KERNELS_H_
#define MEMORY3_ENGINE_CPU_MATMUL_KERNELS_H_

#include <cstdint>

#include "engine/cpu/cpu_isa.h"

namespace memory3 {

inline constexpr int kCacheLineBytes = 64;
inline constexpr int kStepInputBytes = 4;
inline constexpr int kChunkSteps = kCacheLineBytes / kStepInputBytes;
inline constexpr int kPanelOutputs = 32;
inline constexpr int kStepBytes = kPanelOutputs * kStepInputBytes;
inline constexpr int kChunkBytes = kChunkSteps * kStepBytes;
inline constexpr int kInputTileRows = 12;

struct MatMulTile {
  const uint8_t* weights;  // of the panel
  int64_t chunks;
  const uint8_t* x;
  int64_t x_chunk_stride;  // bytes
  // Weights that will be needed soon, to be fetched at `next_step` bytes per step (at most
  // kStepBytes; 0: none).
  const uint8_t* next;
  int64_t next_step;
  float* sums;  // (rows, kPanelOutputs)
  bool add;     // go on from the sums that are there instead of from zero
};

// Sums over the steps in order, one accumulator per output and row: the same bits for every number
// of rows.
using MatMulTileFunction = void (*)(const MatMulTile& tile, int rows);

struct MatMulKernel {
  MatMulTileFunction run;
  int tile_rows;  // the most rows of one call, at most kInputTileRows; all registers are in use
  // Chunks of a panel that all rows pass through before the next ones, so that they are read from
  // a cache near enough for this kernel's speed.
  int64_t block_chunks;
};

struct MatMulKernels {
  MatMulKernel bf16;
  MatMulKernel f32;
};

const MatMulKernels& MatMulKernelsFor(CpuIsa isa);

// One per translation unit; use MatMulKernelsFor.
extern const MatMulKernels kPortableMatMulKernels;
extern const MatMulKernels kAvx2MatMulKernels;
extern const MatMulKernels kAvx512MatMulKernels;

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_MATMUL_KERNELS_H_
