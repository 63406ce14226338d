#include "engine/cuda/kernels/embed.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

template <typename T>
class EmbedTest : public testing::Test {};
using Elements = testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(EmbedTest, Elements);

TYPED_TEST(EmbedTest, EqualsItsTwinOnRandomRows) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const int rows = Uniform(random, 1, 12);
    const int vocab = Uniform(random, 1, 50);
    const int hidden = seed % 2 == 0 ? 8 * Uniform(random, 1, 200) : Uniform(random, 1, 700);
    TestArray<TypeParam> table(int64_t{vocab} * hidden);
    FillNormal(random, table);
    TestArray<int32_t> sampled(4);
    for (int32_t& id : sampled.host) id = Uniform(random, 0, vocab - 1);
    sampled.Upload();
    TestArray<int32_t> token(rows);
    TestArray<int32_t> sequence(rows);
    for (int row = 0; row < rows; ++row) {
      const bool by_device = Uniform(random, 0, 3) == 0;
      token.host[row] =
          by_device ? SampledTokenAt(Uniform(random, 0, 3)) : Uniform(random, 0, vocab - 1);
      sequence.host[row] = Uniform(random, -1, 3);
    }
    token.Upload();
    sequence.Upload();
    TestArray<float> residual(int64_t{rows} * hidden, 7.0f);
    Stream stream = NewStream();
    Embed<TypeParam>(stream, {.rows = {.token = token.device(), .sequence = sequence.device()},
                              .table = table.device(),
                              .sampled = sampled.device(),
                              .residual = residual.device(),
                              .row_count = rows,
                              .hidden = hidden});
    ASSERT_TRUE(stream.Synchronize().ok());
    twin::Embed<TypeParam>({.rows = {.token = token.host.data(), .sequence = sequence.host.data()},
                            .table = table.host.data(),
                            .sampled = sampled.host.data(),
                            .residual = residual.host.data(),
                            .row_count = rows,
                            .hidden = hidden});
    EXPECT_EQ(residual.Download(), residual.host);
  }
}

}  // namespace
}  // namespace memory3::cuda
