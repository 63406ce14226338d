// The tile loop that every instruction set shares. Included by the units that are compiled with
// special flags: nothing here may use a library template, whose instantiation could replace the one
// that the rest of the program runs. For the same reason all of it is in an unnamed namespace: each
// unit keeps its own instantiations. (That Ops is in one is not enough: g++ gives a function whose
// template template argument is local to the unit a name that the linker merges.)
//
// `Ops<kVectors>` gives:
//   Acc, Weights, Input      register types; Weights holds one step's weights for kVectors
//                            accumulators of kLanes floats
//   kAccumulators            that fit in the registers beside weights and inputs
//   Zero, Load, Store, LoadWeights, LoadInput, MultiplyAdd(acc[kVectors], weights, input)
#ifndef MEMORY3_ENGINE_CPU_MATMUL_TILE_H_
#define MEMORY3_ENGINE_CPU_MATMUL_TILE_H_

#include "engine/cpu/matmul_kernels.h"

namespace memory3 {
namespace {

inline void __attribute__((always_inline)) FetchIntoL2(const uint8_t* line) {
  __builtin_prefetch(line, 0, 2);
}

template <typename Ops, int kVectors, int kRows>
void RunPass(const MatMulTile& tile, int first_output) {
  // Every loop over it is unrolled, or it would live in memory instead of registers.
  typename Ops::Acc acc[kRows][kVectors];
#pragma GCC unroll 12
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const float* from = tile.sums + row * kPanelOutputs + first_output + v * Ops::kLanes;
      acc[row][v] = tile.add ? Ops::Load(from) : Ops::Zero();
    }
  }
  const uint8_t* weights = tile.weights + first_output * kStepInputBytes;
  const uint8_t* x = tile.x;
  const uint8_t* next = tile.next;
  for (int64_t chunk = 0; chunk < tile.chunks; ++chunk) {
#pragma GCC unroll 4
    for (int step = 0; step < kChunkSteps; ++step) {
      if (tile.next_step > 0) {
        FetchIntoL2(next);
        if (tile.next_step > kCacheLineBytes) FetchIntoL2(next + kCacheLineBytes);
        next += tile.next_step;
      }
      const typename Ops::Weights w = Ops::LoadWeights(weights);
#pragma GCC unroll 12
      for (int row = 0; row < kRows; ++row) {
        Ops::MultiplyAdd(acc[row], w,
                         Ops::LoadInput(x + row * kCacheLineBytes + step * kStepInputBytes));
      }
      weights += kStepBytes;
    }
    x += tile.x_chunk_stride;
  }
#pragma GCC unroll 12
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      Ops::Store(tile.sums + row * kPanelOutputs + first_output + v * Ops::kLanes, acc[row][v]);
    }
  }
}

// Few rows take a wider pass: the more independent sums, the less the latency of each shows.
template <template <int> class Ops, int kRows>
void RunRows(const MatMulTile& tile) {
  constexpr int kMostVectors =
      kPanelOutputs / Ops<1>::kLanes < 4 ? kPanelOutputs / Ops<1>::kLanes : 4;
  constexpr int kVectors = kRows * kMostVectors <= Ops<1>::kAccumulators ? kMostVectors : 2;
  MatMulTile pass = tile;
  for (int output = 0; output < kPanelOutputs; output += kVectors * Ops<1>::kLanes) {
    RunPass<Ops<kVectors>, kVectors, kRows>(pass, output);
    pass.next_step = 0;  // once is enough
  }
}

template <template <int> class Ops, int kTileRows>
void RunTile(const MatMulTile& tile, int rows) {
  if constexpr (kTileRows > 0) {
    if (rows == kTileRows) {
      RunRows<Ops, kTileRows>(tile);
    } else {
      RunTile<Ops, kTileRows - 1>(tile, rows);
    }
  }
}

}  // namespace
}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_MATMUL_TILE_H_
