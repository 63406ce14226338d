#include "engine/cpu/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/base/bfloat16.h"

namespace memory3 {
namespace {

class KernelsTest : public testing::TestWithParam<CpuIsa> {
 protected:
  void SetUp() override {
    if (!IsSupported(GetParam())) GTEST_SKIP() << NameOf(GetParam()) << " is not supported here";
  }
  const CpuKernels& kernels() { return KernelsFor(GetParam()); }
  std::vector<float> Random(int64_t size, float scale = 1) {
    std::normal_distribution<float> normal;
    std::vector<float> values(size);
    for (float& value : values) value = scale * normal(random_);
    return values;
  }

 private:
  std::mt19937 random_{1};
};

INSTANTIATE_TEST_SUITE_P(Isas, KernelsTest,
                         testing::Values(CpuIsa::kPortable, CpuIsa::kAvx2, CpuIsa::kAvx512Bf16),
                         [](const auto& param) { return std::string(NameOf(param.param)); });

TEST_P(KernelsTest, RmsNorm) {
  for (const int size : {1, 6, 16, 63, 64, 100, 172, 3200}) {
    const std::vector<float> x = Random(size), weight = Random(size);
    std::vector<float> out(size);
    kernels().rms_norm(x.data(), weight.data(), size, 1e-5f, out.data());
    double sum = 0;
    for (const double v : x) sum += v * v;
    for (int i = 0; i < size; ++i) {
      const double expected = x[i] / std::sqrt(sum / size + 1e-5) * weight[i];
      ASSERT_NEAR(out[i], expected, 1e-6 * (1 + std::abs(expected))) << size << " " << i;
    }
  }
}

TEST_P(KernelsTest, SwiGlu) {
  for (const int size : {1, 15, 16, 172, 1000}) {
    std::vector<float> gate = Random(size, 20);
    const std::vector<float> up = Random(size);
    gate[0] = -1000;  // far beyond where e^-x is a float
    std::vector<float> out(size);
    kernels().swiglu(gate.data(), up.data(), size, out.data());
    for (int i = 0; i < size; ++i) {
      const double expected = gate[i] / (1 + std::exp(-static_cast<double>(gate[i]))) * up[i];
      ASSERT_NEAR(out[i], expected, 1e-6 * (1e-3 + std::abs(expected))) << size << " " << i;
    }
  }
}

TEST_P(KernelsTest, Rotate) {
  for (const int half : {1, 3, 5, 16, 32, 40, 64}) {
    const std::vector<float> x = Random(2 * half), c = Random(half), s = Random(half);
    std::vector<float> out(2 * half);
    kernels().rotate(x.data(), c.data(), s.data(), half, 0.5f, out.data());
    for (int i = 0; i < half; ++i) {
      ASSERT_NEAR(out[i], 0.5 * (x[i] * c[i] - x[half + i] * s[i]), 1e-5) << half << " " << i;
      ASSERT_NEAR(out[half + i], 0.5 * (x[half + i] * c[i] + x[i] * s[i]), 1e-5) << half;
    }
  }
}

// Keys and values of a run laid out as tiles; what is beyond the run is NaN.
struct TiledRun {
  TiledRun(int count, int head_dim, const std::vector<float>& k, const std::vector<float>& v) {
    constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
    const int tile_count = (count + kTileTokens - 1) / kTileTokens;
    const int key_floats = head_dim * kTileTokens;
    const int stride = ValueStride(head_dim);
    keys.assign(tile_count * key_floats, kNaN);
    values.assign(tile_count * kTileTokens * stride, kNaN);
    for (int t = 0; t < tile_count; ++t) {
      tiles[t] = {&keys[t * key_floats], &values[t * kTileTokens * stride]};
    }
    for (int j = 0; j < count; ++j) {
      float* key = &keys[j / kTileTokens * key_floats + j % kTileTokens];
      for (int d = 0; d < head_dim; ++d) key[d * kTileTokens] = k[j * head_dim + d];
      std::copy_n(&v[j * head_dim], head_dim, &values[j * stride]);
    }
  }
  std::vector<float> keys, values;
  KeyValueTile tiles[kFoldTiles];
};

// Parts of one softmax folded one after the other, of any length, as a prefix and memory slots will
// be; tokens that no query sees may hold anything.
TEST_P(KernelsTest, FoldsRunsOfAnyLengthIntoOneSoftmax) {
  constexpr int kHeadDim = 10, kQueries = 7;
  const std::vector<float> queries = Random(kQueries * kHeadDim);
  std::vector<float> packed(PackedQueryFloats(kHeadDim));
  for (int q = 0; q < kQueries; ++q) {
    PackQuery(&queries[q * kHeadDim], q, kHeadDim, packed.data());
  }
  std::vector<float> max(kQueryBlock), sum(kQueryBlock * kTileTokens);
  std::vector<float> acc(kQueryBlock * ValueStride(kHeadDim));
  const AttentionState state = {max.data(), sum.data(), acc.data()};
  kernels().reset_state(kQueries, kHeadDim, state);
  double sums[kQueries] = {}, means[kQueries][kHeadDim] = {};
  for (const int count : {10, 8, 64, 1, 5}) {
    const std::vector<float> k = Random(count * kHeadDim), v = Random(count * kHeadDim);
    const TiledRun run(count, kHeadDim, k, v);
    int visible[kQueries];
    for (int q = 0; q < kQueries; ++q) visible[q] = std::max(count - q, 0);
    visible[kQueries - 1] = 0;
    kernels().fold_f32(packed.data(), kQueries, kHeadDim, run.tiles, visible, state);
    for (int q = 0; q < kQueries; ++q) {
      for (int j = 0; j < visible[q]; ++j) {
        double score = 0;
        for (int d = 0; d < kHeadDim; ++d) {
          score += double{queries[q * kHeadDim + d]} * k[j * kHeadDim + d];
        }
        sums[q] += std::exp(score);
        for (int d = 0; d < kHeadDim; ++d) means[q][d] += std::exp(score) * v[j * kHeadDim + d];
      }
    }
  }
  for (int q = 0; q < kQueries - 1; ++q) {
    float out[kHeadDim];
    kernels().finish(state, q, kHeadDim, out);
    for (int d = 0; d < kHeadDim; ++d) EXPECT_NEAR(out[d], means[q][d] / sums[q], 2e-5) << q;
  }
}

// Several memories in one run: tiles that are not full, and what lies behind their tokens is
// nothing.
TEST_P(KernelsTest, FoldsTilesThatAreNotFull) {
  constexpr int kHeadDim = 10, kQueries = 7;
  constexpr int kCounts[kFoldTiles] = {8, 16, 1, 11};
  const std::vector<float> queries = Random(kQueries * kHeadDim);
  std::vector<float> packed(PackedQueryFloats(kHeadDim));
  for (int q = 0; q < kQueries; ++q) {
    PackQuery(&queries[q * kHeadDim], q, kHeadDim, packed.data());
  }
  std::vector<float> max(kQueryBlock), sum(kQueryBlock * kTileTokens);
  std::vector<float> acc(kQueryBlock * ValueStride(kHeadDim));
  const AttentionState state = {max.data(), sum.data(), acc.data()};
  std::vector<TiledRun> runs;
  std::vector<float> keys, values;  // of all tokens, one after the other
  KeyValueTile tiles[kFoldTiles];
  for (const int count : kCounts) {
    const std::vector<float> k = Random(count * kHeadDim), v = Random(count * kHeadDim);
    keys.insert(keys.end(), k.begin(), k.end());
    values.insert(values.end(), v.begin(), v.end());
    runs.emplace_back(count, kHeadDim, k, v);
  }
  for (int t = 0; t < kFoldTiles; ++t) {
    tiles[t] = {runs[t].keys.data(), runs[t].values.data(), kCounts[t]};
  }
  const int tokens = static_cast<int>(keys.size()) / kHeadDim;
  kernels().reset_state(kQueries, kHeadDim, state);
  int visible[kQueries];
  for (int q = 0; q < kQueries; ++q) visible[q] = q == 2 ? 0 : kFoldTokens;
  kernels().fold_f32(packed.data(), kQueries, kHeadDim, tiles, visible, state);
  for (int q = 0; q < kQueries; ++q) {
    if (visible[q] == 0) continue;
    double total = 0, mean[kHeadDim] = {};
    for (int j = 0; j < tokens; ++j) {
      double score = 0;
      for (int d = 0; d < kHeadDim; ++d) {
        score += double{queries[q * kHeadDim + d]} * keys[j * kHeadDim + d];
      }
      total += std::exp(score);
      for (int d = 0; d < kHeadDim; ++d) mean[d] += std::exp(score) * values[j * kHeadDim + d];
    }
    float out[kHeadDim];
    kernels().finish(state, q, kHeadDim, out);
    for (int d = 0; d < kHeadDim; ++d) EXPECT_NEAR(out[d], mean[d] / total, 2e-5) << q;
  }
}

TEST(Bfloat16Test, RoundsToNearestEven) {
  EXPECT_EQ(ToBfloat16(1.0f), 0x3F80);
  EXPECT_EQ(ToBfloat16(1.00390625f), 0x3F80);  // halfway, to even
  EXPECT_EQ(ToBfloat16(1.01171875f), 0x3F82);  // halfway, to even
  EXPECT_EQ(ToBfloat16(1.00390637f), 0x3F81);  // above halfway
  EXPECT_EQ(ToBfloat16(-2.0f), 0xC000);
  EXPECT_EQ(ToBfloat16(3.4e38f), 0x7F80);  // beyond the largest: infinity
  EXPECT_TRUE(std::isnan(FromBfloat16(ToBfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

}  // namespace
}  // namespace memory3
