// The inner products of matmul.h, one table per instruction set. Internal to the matrix product.
//
// Layout of a panel: kPanelOutputs outputs wide, one step after the other. A bf16 step holds two
// inputs of every output, interleaved (output 0: inputs 2s, 2s+1; output 1: ...), as vdpbf16ps
// reads them; an f32 step holds one. Either is kStepBytes long. Inputs are zero-padded to a whole
// number of kUnrolledSteps.
#ifndef MEMORY3_ENGINE_CPU_MATMUL_KERNELS_H_
#define MEMORY3_ENGINE_CPU_MATMUL_KERNELS_H_

#include <cstdint>

#include "engine/cpu/cpu_isa.h"

namespace memory3 {

inline constexpr int kPanelOutputs = 32;
inline constexpr int kStepBytes = kPanelOutputs * 4;
inline constexpr int kUnrolledSteps = 8;
inline constexpr int kCacheLineBytes = 64;
// The most rows any kernel takes at once; a kernel table may say fewer.
inline constexpr int kMaxTileRows = 12;

struct MatMulTile {
  const uint8_t* panel;
  int64_t steps;     // a multiple of kUnrolledSteps
  const uint8_t* x;  // first row; a step's inputs are 4 bytes
  int64_t x_stride;  // bytes
  // What will be needed next: `prefetch_lines` cache lines per kUnrolledSteps, from `prefetch` on.
  // 0: nothing.
  const uint8_t* prefetch;
  int prefetch_lines;
  float* out;  // (rows, kPanelOutputs), overwritten with the sums
};

// Sums over the steps in order, one accumulator per output and row: the same bits for every number
// of rows.
using MatMulTileFunction = void (*)(const MatMulTile& tile, int rows);

struct MatMulKernels {
  MatMulTileFunction bf16;
  MatMulTileFunction f32;
  int tile_rows;  // the most rows of one call; all registers are in use there
};

const MatMulKernels& MatMulKernelsFor(CpuIsa isa);

// One per translation unit; use MatMulKernelsFor.
extern const MatMulKernels kPortableMatMulKernels;
extern const MatMulKernels kAvx2MatMulKernels;
extern const MatMulKernels kAvx512MatMulKernels;

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_MATMUL_KERNELS_H_
