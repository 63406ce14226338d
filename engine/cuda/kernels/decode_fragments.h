// Keys, values and queries of decode attention as operands of MmaBf16, loaded from global memory
// straight into registers. Device code.
//
// A product does not mind in which order its inner dimension is taken, nor which row of a tile is
// which dimension of the result. So both are permuted until what one lane needs lies side by side,
// and a lane loads up to 16 bytes at once without a detour through shared memory:
//
//   dot words     of a row of keys or queries, the inner dimension being head_dim: lane % 4 = p
//                 holds 8 neighbours of every 32 (4 of a last 16): two words per product
//   column words  of a row of values, head_dim being the rows of the result: lane / 4 = g holds 8
//                 neighbours of every 64 (4 of a last 32, 2 of a last 16): one word per product,
//                 which makes rows g and g + 8 of the result
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_DECODE_FRAGMENTS_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_DECODE_FRAGMENTS_H_

#include <cstdint>

#include "engine/cuda/kernels/row_keys.h"
#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/pack.h"

namespace memory3::cuda {

// kWords words from `row` + `element`.
template <int kWords>
M3_DEVICE void LoadWords(const BFloat16* row, int32_t element, uint32_t* words) {
  const auto pack = LoadPack<kWords>(reinterpret_cast<const uint32_t*>(row + element));
  M3_UNROLL
  for (int i = 0; i < kWords; ++i) words[i] = pack.values[i];
}

// The same, or zeros where row is null.
template <int kWords>
M3_DEVICE void LoadWordsOrZeros(const BFloat16* row, int32_t element, uint32_t* words) {
  M3_UNROLL
  for (int i = 0; i < kWords; ++i) words[i] = 0;
  if (row != nullptr) LoadWords<kWords>(row, element, words);
}

template <int kHeadDim>
M3_DEVICE void LoadDotWords(const BFloat16* row, uint32_t (&words)[kHeadDim / 8]) {
  const int p = Lane() % 4;
  M3_UNROLL
  for (int c = 0; c < kHeadDim / 32; ++c) LoadWords<4>(row, 32 * c + 8 * p, words + 4 * c);
  if constexpr (kHeadDim % 32 != 0) {
    constexpr int kDone = kHeadDim / 32 * 32;
    LoadWords<2>(row, kDone + 4 * p, words + kDone / 8);
  }
}

template <int kHeadDim>
M3_DEVICE void LoadDotWordsOrZeros(const BFloat16* row, uint32_t (&words)[kHeadDim / 8]) {
  M3_UNROLL
  for (int i = 0; i < kHeadDim / 8; ++i) words[i] = 0;
  if (row != nullptr) LoadDotWords<kHeadDim>(row, words);
}

template <int kHeadDim>
M3_DEVICE void LoadColumnWords(const BFloat16* row, uint32_t (&words)[kHeadDim / 16]) {
  const int g = Lane() / 4;
  M3_UNROLL
  for (int c = 0; c < kHeadDim / 64; ++c) LoadWords<4>(row, 64 * c + 8 * g, words + 4 * c);
  constexpr int kDone = kHeadDim / 64 * 64;
  if constexpr (kHeadDim % 64 >= 32) LoadWords<2>(row, kDone + 4 * g, words + kDone / 16);
  if constexpr (kHeadDim % 32 != 0) {
    LoadWords<1>(row, kHeadDim - 16 + 2 * g, words + kHeadDim / 16 - 1);
  }
}

// Which dimension row g of the result of column word `word` is; row g + 8 is the next one.
template <int kHeadDim>
M3_DEVICE int32_t ColumnDimension(int word) {
  constexpr int kDone = kHeadDim / 64 * 64;
  const int g = Lane() / 4;
  if (word < kDone / 16) return 64 * (word / 4) + 8 * g + 2 * (word % 4);
  if (kHeadDim % 64 >= 32 && word < kDone / 16 + 2) return kDone + 4 * g + 2 * (word % 4);
  return kHeadDim - 16 + 2 * g;
}

// The lower, or upper, halves of two words.
M3_DEVICE uint32_t LowerHalves(uint32_t low, uint32_t high) {
  return (low & 0xFFFFu) | (high << 16);
}
M3_DEVICE uint32_t UpperHalves(uint32_t low, uint32_t high) {
  return (low >> 16) | (high & 0xFFFF0000u);
}

// The rows of a tile of kAttentionTile places that a lane loads: keys of places g and g + 8, values
// of places 2p, 2p + 1, 2p + 8, 2p + 9. Instead of places that there are not, others of the same
// size: their keys are not seen, so that their values weigh nothing. Loads without conditions can
// all be on their way at once.
struct TileRows {
  const BFloat16* keys[2];
  const BFloat16* values[4];
  bool seen[2];  // the keys' places
};

M3_DEVICE int32_t KeyPlace(int i) { return Lane() / 4 + 8 * i; }
M3_DEVICE int32_t ValuePlace(int i) { return 2 * (Lane() % 4) + i % 2 + 8 * (i / 2); }

// Context tokens [token, end), kAttentionTile of them at most; token begins a tile.
M3_DEVICE TileRows ContextTile(const RowKeys<BFloat16>& row, int32_t token, int32_t end,
                               int32_t head_dim) {
  const KeyValue<BFloat16> first = row.Context(token);
  TileRows rows;
  M3_UNROLL
  for (int i = 0; i < 2; ++i) {
    const int32_t place = KeyPlace(i);
    rows.seen[i] = token + place < end;
    rows.keys[i] = first.key + (rows.seen[i] ? place : 0) * head_dim;
  }
  M3_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int32_t place = ValuePlace(i);
    rows.values[i] = first.value + (token + place < end ? place : 0) * head_dim;
  }
  return rows;
}

M3_DEVICE const BFloat16* PointerOfLane(const BFloat16* pointer, int lane) {
  return reinterpret_cast<const BFloat16*>(
      __shfl_sync(kFullWarp, reinterpret_cast<uintptr_t>(pointer), lane));
}

// Memory places from `begin` on: every lane looks one up for all. `instead`: (head_dim) finite
// numbers, read where there is no place; a row of queries.
M3_DEVICE TileRows MemoryTile(const RowKeys<BFloat16>& row, int32_t begin,
                              const BFloat16* instead) {
  const int32_t place = begin + Lane() % kAttentionTile;
  KeyValue<BFloat16> mine;
  if (place < row.memory_places()) mine = row.Memory(place);
  if (mine.key == nullptr) mine = {instead, instead};
  TileRows rows;
  M3_UNROLL
  for (int i = 0; i < 2; ++i) {
    rows.keys[i] = PointerOfLane(mine.key, KeyPlace(i));
    rows.seen[i] = rows.keys[i] != instead;
  }
  M3_UNROLL
  for (int i = 0; i < 4; ++i) rows.values[i] = PointerOfLane(mine.value, ValuePlace(i));
  return rows;
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_DECODE_FRAGMENTS_H_
