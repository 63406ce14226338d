// The element-wise kernels of the MLP and its residual.
#include "engine/cuda/kernels/swiglu.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/cuda/kernels/add_bias.h"
#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

template <typename T>
class SwiGluTest : public testing::Test {};
using Elements = testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(SwiGluTest, Elements);

int RandomWidth(std::mt19937_64& random, uint64_t seed) {
  return seed % 2 == 0 ? 8 * Uniform(random, 1, 300) : Uniform(random, 1, 700);
}

TYPED_TEST(SwiGluTest, EqualsItsTwinOnRandomShapes) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const int rows = Uniform(random, 1, 9);
    const int mlp = RandomWidth(random, seed);
    TestArray<TypeParam> gate_up(int64_t{rows} * 2 * mlp);
    TestArray<TypeParam> bias(2 * mlp);
    TestArray<TypeParam> out(int64_t{rows} * mlp);
    FillNormal(random, gate_up, 4.0f);
    FillNormal(random, bias);
    // What exp overflows for.
    gate_up.host[0] = FromFloat<TypeParam>(-200.0f);
    gate_up.Upload();
    const bool with_bias = seed % 3 == 0;
    Stream stream = NewStream();
    SwiGlu<TypeParam>(stream, {.gate_up = gate_up.device(),
                               .bias = with_bias ? bias.device() : nullptr,
                               .out = out.device(),
                               .rows = rows,
                               .mlp = mlp});
    ASSERT_TRUE(stream.Synchronize().ok());
    twin::SwiGlu<TypeParam>({.gate_up = gate_up.host.data(),
                             .bias = with_bias ? bias.host.data() : nullptr,
                             .out = out.host.data(),
                             .rows = rows,
                             .mlp = mlp});
    EXPECT_LE(LargestError(out.Download(), out.host), RoundingTolerance<TypeParam>());
  }
}

TYPED_TEST(SwiGluTest, AddBiasEqualsItsTwin) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const int rows = Uniform(random, 1, 9);
    const int width = RandomWidth(random, seed);
    TestArray<TypeParam> bias(width);
    TestArray<float> residual(int64_t{rows} * width);
    FillNormal(random, bias);
    FillNormal(random, residual);
    Stream stream = NewStream();
    AddBias<TypeParam>(
        stream,
        {.bias = bias.device(), .residual = residual.device(), .rows = rows, .width = width});
    ASSERT_TRUE(stream.Synchronize().ok());
    twin::AddBias<TypeParam>(
        {.bias = bias.host.data(), .residual = residual.host.data(), .rows = rows, .width = width});
    EXPECT_EQ(residual.Download(), residual.host);
  }
}

}  // namespace
}  // namespace memory3::cuda
