// Memories in slots: every number where the attention kernels read it.
#include "engine/cpu/memory_tiles.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "engine/base/bfloat16.h"

namespace memory3 {
namespace {

constexpr int kHeadDim = 10;

float Get(const void* values, DType dtype, int64_t index) {
  if (dtype == DType::kF32) return static_cast<const float*>(values)[index];
  return FromBfloat16(static_cast<const uint16_t*>(values)[index]);
}

// A number that says where it belongs, exact in bf16 (up to 256).
float Number(int part, int token, int d) {
  return static_cast<float>((part * 31 + token * 7 + d) % 256);
}

std::shared_ptr<const MemoryTensor> Numbered(const MemoryShape& shape, int tokens, int shift) {
  std::shared_ptr<MemoryTensor> memory = NewMemoryTensor(shape);
  memory->tokens = tokens;
  for (int part = 0; part < shape.layers * 2 * shape.kv_heads; ++part) {
    for (int token = 0; token < tokens; ++token) {
      for (int d = 0; d < kHeadDim; ++d) {
        const int64_t index = (int64_t{part} * shape.kept_tokens + token) * kHeadDim + d;
        const float number = Number(part + shift, token, d);
        if (shape.dtype == DType::kF32) {
          std::memcpy(memory->bytes.data() + 4 * index, &number, sizeof(number));
        } else {
          const uint16_t half = ToBfloat16(number);
          std::memcpy(memory->bytes.data() + 2 * index, &half, sizeof(half));
        }
      }
    }
  }
  return memory;
}

void ExpectHolds(const MemoryTiles& tiles, MemorySlot slot, const MemoryShape& shape, DType dtype,
                 int tokens, int shift) {
  ASSERT_EQ(tiles.slot_tokens(slot), tokens);
  for (int part = 0; part < shape.layers * 2 * shape.kv_heads; ++part) {
    const int layer = part / (2 * shape.kv_heads), head = part % shape.kv_heads;
    const bool keys = part / shape.kv_heads % 2 == 0;
    for (int token = 0; token < tokens; ++token) {
      const KeyValueTile tile = tiles.slot_cache().Tile(layer, slot, head, token / kTileTokens);
      const int lane = token % kTileTokens;
      for (int d = 0; d < kHeadDim; ++d) {
        const float got = keys ? Get(tile.keys, dtype, d * kTileTokens + lane)
                               : Get(tile.values, dtype, lane * ValueStride(kHeadDim) + d);
        ASSERT_EQ(got, Number(part + shift, token, d))
            << "part " << part << " token " << token << " dimension " << d;
      }
    }
  }
}

TEST(MemoryTilesTest, SlotsHoldWhatWasFilledIn) {
  for (const DType cache : {DType::kF32, DType::kBF16}) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int kept : {3, 16, 20}) {
        const KvShape kv = {5, 2, kHeadDim, 32, cache};
        const MemoryShape shape = {2, 2, kept, kHeadDim, dtype};
        MemoryTiles tiles(kv, shape, {1, 4}, 3, 3);
        EXPECT_EQ(tiles.slots(), 3);
        EXPECT_EQ(tiles.slot_tokens(1), 0);
        for (MemorySlot slot : {0, 1, 2}) tiles.Fill(slot, *Numbered(shape, kept, slot));
        for (MemorySlot slot : {0, 1, 2}) ExpectHolds(tiles, slot, shape, cache, kept, slot);
        tiles.Fill(1, *Numbered(shape, kept - 1, 77));
        ExpectHolds(tiles, 1, shape, cache, kept - 1, 77);
        ExpectHolds(tiles, 0, shape, cache, kept, 0);
        ExpectHolds(tiles, 2, shape, cache, kept, 2);
      }
    }
  }
}

TEST(MemoryTilesTest, KnowsTheMemoryLayers) {
  const KvShape kv = {5, 2, kHeadDim, 32, DType::kF32};
  const MemoryTiles tiles(kv, {2, 2, 4, kHeadDim, DType::kF32}, {1, 4}, 3, 3);
  const std::vector<int> expected = {-1, 0, -1, -1, 1};
  for (int layer = 0; layer < 5; ++layer) EXPECT_EQ(tiles.memory_layer(layer), expected[layer]);
  EXPECT_EQ(tiles.prefix().shape().layers, 5);
  EXPECT_EQ(tiles.prefix_tokens(), 3);
}

}  // namespace
}  // namespace memory3
