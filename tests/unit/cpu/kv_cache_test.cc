#include "engine/cpu/kv_cache.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/base/bfloat16.h"

namespace memory3 {
namespace {

float Value(int layer, int block, int head, int offset, int d, bool is_key) {
  return ((((layer * 3 + block) * 2 + head) * 32 + offset) * 2 + is_key) * 8 + d;
}

class KvCacheTest : public testing::TestWithParam<DType> {};

INSTANTIATE_TEST_SUITE_P(DTypes, KvCacheTest, testing::Values(DType::kF32, DType::kBF16),
                         [](const auto& param) {
                           return param.param == DType::kF32 ? "f32" : "bf16";
                         });

// Every token comes back from the tile the kernel will read, and no token overwrites another.
TEST_P(KvCacheTest, TokensAreWhereTheKernelReadsThem) {
  constexpr int kLayers = 2, kBlocks = 3, kHeads = 2, kDim = 6, kTokens = 32;
  KvCache cache({kLayers, kHeads, kDim, kTokens, GetParam()}, kBlocks);
  const auto for_all = [&](auto visit) {
    for (int layer = 0; layer < kLayers; ++layer) {
      for (int block = 0; block < kBlocks; ++block) {
        for (int head = 0; head < kHeads; ++head) {
          for (int offset = 0; offset < kTokens; ++offset) visit(layer, block, head, offset);
        }
      }
    }
  };
  for_all([&](int layer, int block, int head, int offset) {
    std::vector<float> key(kDim), value(kDim);
    for (int d = 0; d < kDim; ++d) {
      key[d] = Value(layer, block, head, offset, d, true);
      value[d] = Value(layer, block, head, offset, d, false);
    }
    cache.Write(layer, block, head, offset, key.data(), value.data());
  });
  const auto read = [&](const void* data, int index) {
    if (GetParam() == DType::kF32) return static_cast<const float*>(data)[index];
    return FromBfloat16(static_cast<const uint16_t*>(data)[index]);
  };
  const auto stored = [&](float x) {
    return GetParam() == DType::kF32 ? x : FromBfloat16(ToBfloat16(x));
  };
  for_all([&](int layer, int block, int head, int offset) {
    const KeyValueTile tile = cache.Tile(layer, block, head, offset / kTileTokens);
    const int lane = offset % kTileTokens;
    for (int d = 0; d < ValueStride(kDim); ++d) {
      const float value = read(tile.values, lane * ValueStride(kDim) + d);
      if (d >= kDim) {
        ASSERT_EQ(value, 0) << "padding";
        continue;
      }
      ASSERT_EQ(value, stored(Value(layer, block, head, offset, d, false)));
      ASSERT_EQ(read(tile.keys, d * kTileTokens + lane),
                stored(Value(layer, block, head, offset, d, true)));
    }
  });
}

}  // namespace
}  // namespace memory3
