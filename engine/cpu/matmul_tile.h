// The tile loop that every instruction set shares. Included by the units that are compiled with
// special flags: nothing here may use a library template, whose instantiation could replace the one
// that the rest of the program runs.
//
// `Ops` (of an unnamed namespace, so that each unit keeps its own instantiations) gives:
//   Acc, Weights, Input      register types; Weights holds the weights of one step for kVectors
//   accumulators kVectors, kLanes         accumulators per row in one pass, and floats in each
//   Zero, LoadWeights, LoadInput, MultiplyAdd(acc[kVectors], weights, input), Store
#ifndef MEMORY3_ENGINE_CPU_MATMUL_TILE_H_
#define MEMORY3_ENGINE_CPU_MATMUL_TILE_H_

#include "engine/cpu/matmul_kernels.h"

namespace memory3 {

template <typename Ops, int kRows>
void RunPass(const MatMulTile& tile, int first_output) {
  typename Ops::Acc acc[kRows][Ops::kVectors];
  for (int row = 0; row < kRows; ++row) {
    for (int v = 0; v < Ops::kVectors; ++v) acc[row][v] = Ops::Zero();
  }
  const uint8_t* weights = tile.panel + first_output * 4;
  const uint8_t* x = tile.x;
  const uint8_t* prefetch = tile.prefetch;
  for (int64_t step = 0; step < tile.steps; step += kUnrolledSteps) {
    for (int line = 0; line < tile.prefetch_lines; ++line) {
      __builtin_prefetch(prefetch, 0, 2);
      prefetch += kCacheLineBytes;
    }
#pragma GCC unroll 8
    for (int i = 0; i < kUnrolledSteps; ++i) {
      const typename Ops::Weights w = Ops::LoadWeights(weights + i * kStepBytes);
#pragma GCC unroll 12
      for (int row = 0; row < kRows; ++row) {
        Ops::MultiplyAdd(acc[row], w, Ops::LoadInput(x + row * tile.x_stride + i * 4));
      }
    }
    weights += kUnrolledSteps * kStepBytes;
    x += kUnrolledSteps * 4;
  }
  for (int row = 0; row < kRows; ++row) {
    for (int v = 0; v < Ops::kVectors; ++v) {
      Ops::Store(tile.out + row * kPanelOutputs + first_output + v * Ops::kLanes, acc[row][v]);
    }
  }
}

template <typename Ops, int kRows>
void RunRows(const MatMulTile& tile) {
  MatMulTile pass = tile;
  for (int output = 0; output < kPanelOutputs; output += Ops::kVectors * Ops::kLanes) {
    RunPass<Ops, kRows>(pass, output);
    pass.prefetch_lines = 0;  // once is enough
  }
}

template <typename Ops, int kTileRows>
void RunTile(const MatMulTile& tile, int rows) {
  if constexpr (kTileRows > 0) {
    if (rows == kTileRows) {
      RunRows<Ops, kTileRows>(tile);
    } else {
      RunTile<Ops, kTileRows - 1>(tile, rows);
    }
  }
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_MATMUL_TILE_H_
