#include "engine/cuda/kernels/rope_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

constexpr int kPositions = 40;

void FillAngles(int half, TestArray<float>& cosines, TestArray<float>& sines) {
  for (int position = 0; position < kPositions; ++position) {
    for (int i = 0; i < half; ++i) {
      const double angle = position * std::pow(10000.0, -static_cast<double>(i) / half);
      cosines.host[position * half + i] = static_cast<float>(std::cos(angle));
      sines.host[position * half + i] = static_cast<float>(std::sin(angle));
    }
  }
  cosines.Upload();
  sines.Upload();
}

// One random step: rows of sequences and padding, each with a place of its own in the cache.
template <typename T>
struct Step {
  explicit Step(uint64_t seed)
      : random(seed),
        shape(RandomShape(random)),
        rows(Uniform(random, 1, 9)),
        block_tokens(1 << Uniform(random, 0, 4)),
        blocks(Uniform(random, rows, 20)),
        width(int64_t{shape.heads + 2 * shape.kv_heads} * shape.head_dim),
        cache_size(int64_t{blocks} * block_tokens * shape.kv_heads * shape.head_dim),
        qkv(rows * width),
        bias(width),
        cosines(kPositions * shape.head_dim / 2),
        sines(kPositions * shape.head_dim / 2),
        position(rows),
        sequence(rows),
        kv_token(rows),
        queries(int64_t{rows} * shape.heads * shape.head_dim),
        keys(cache_size),
        values(cache_size) {
    FillNormal(random, qkv);
    FillNormal(random, bias);
    FillNormal(random, keys);
    FillNormal(random, values);
    FillAngles(shape.head_dim / 2, cosines, sines);
    std::vector<int32_t> places(blocks * block_tokens);
    std::iota(places.begin(), places.end(), 0);
    std::shuffle(places.begin(), places.end(), random);
    for (int row = 0; row < rows; ++row) {
      position.host[row] = Uniform(random, 0, kPositions - 1);
      sequence.host[row] = Uniform(random, -1, 5);
      kv_token.host[row] = places[row];
    }
    position.Upload();
    sequence.Upload();
    kv_token.Upload();
  }

  static AttentionShape RandomShape(std::mt19937_64& random) {
    const int kv_heads = Uniform(random, 1, 4);
    const int dims[] = {32, 64, 80, 128, 256, 2 * Uniform(random, 1, 50)};
    return {.heads = kv_heads * Uniform(random, 1, 5),
            .kv_heads = kv_heads,
            .head_dim = dims[Uniform(random, 0, 5)]};
  }

  // `pick` chooses the host or the device side of an array.
  template <typename Pick>
  RopeStoreArgs<T> Args(bool with_bias, Pick pick) {
    return {.shape = shape,
            .qkv = pick(qkv),
            .bias = with_bias ? pick(bias) : nullptr,
            .rope = {pick(cosines), pick(sines)},
            .rows = {.position = pick(position),
                     .sequence = pick(sequence),
                     .kv_token = pick(kv_token)},
            .queries = pick(queries),
            .cache = {.keys = pick(keys), .values = pick(values), .block_tokens = block_tokens},
            .row_count = rows};
  }

  std::mt19937_64 random;
  const AttentionShape shape;
  const int rows, block_tokens, blocks;
  const int64_t width, cache_size;
  TestArray<T> qkv, bias;
  TestArray<float> cosines, sines;
  TestArray<int32_t> position, sequence, kv_token;
  TestArray<T> queries, keys, values;
};

template <typename T>
class RopeStoreTest : public testing::Test {};
using Elements = testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(RopeStoreTest, Elements);

TYPED_TEST(RopeStoreTest, EqualsItsTwinAndLeavesOtherPlacesAlone) {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Step<TypeParam> step(seed);
    const bool with_bias = seed % 2 == 0;
    Stream stream = NewStream();
    RopeStore(stream, step.Args(with_bias, [](auto& array) { return array.device(); }));
    ASSERT_TRUE(stream.Synchronize().ok());
    twin::RopeStore(step.Args(with_bias, [](auto& array) { return array.host.data(); }));
    const float tolerance = RoundingTolerance<TypeParam>();
    EXPECT_LE(LargestError(step.queries.Download(), step.queries.host), tolerance);
    EXPECT_LE(LargestError(step.keys.Download(), step.keys.host), tolerance);
    EXPECT_LE(LargestError(step.values.Download(), step.values.host), tolerance);
  }
}

}  // namespace
}  // namespace memory3::cuda
