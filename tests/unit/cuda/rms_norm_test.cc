#include "engine/cuda/kernels/rms_norm.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

template <typename T>
class RmsNormTest : public testing::Test {};
using Elements = testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(RmsNormTest, Elements);

TYPED_TEST(RmsNormTest, EqualsItsTwinOnRandomShapes) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const int rows = Uniform(random, 1, 9);
    const int source_rows = Uniform(random, rows, 20);
    const int width = Uniform(random, 1, 700);
    TestArray<float> residual(int64_t{source_rows} * width);
    FillNormal(random, residual, 3.0f);
    TestArray<TypeParam> weight(width);
    FillNormal(random, weight);
    TestArray<int32_t> row_of(rows);
    for (int32_t& row : row_of.host) row = Uniform(random, 0, source_rows - 1);
    row_of.Upload();
    TestArray<TypeParam> out(int64_t{rows} * width);
    const bool gather = seed % 2 == 0;
    Stream stream = NewStream();
    RmsNorm<TypeParam>(stream, {.residual = residual.device(),
                                .row_of = gather ? row_of.device() : nullptr,
                                .weight = weight.device(),
                                .out = out.device(),
                                .rows = rows,
                                .width = width,
                                .epsilon = 1e-5f});
    ASSERT_TRUE(stream.Synchronize().ok());
    twin::RmsNorm<TypeParam>({.residual = residual.host.data(),
                              .row_of = gather ? row_of.host.data() : nullptr,
                              .weight = weight.host.data(),
                              .out = out.host.data(),
                              .rows = rows,
                              .width = width,
                              .epsilon = 1e-5f});
    EXPECT_LE(LargestError(out.Download(), out.host), RoundingTolerance<TypeParam>());
  }
}

}  // namespace
}  // namespace memory3::cuda
