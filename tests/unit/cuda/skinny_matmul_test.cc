#include "engine/cuda/kernels/skinny_matmul.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

constexpr Epilogue kEpilogues[] = {Epilogue::kStore, Epilogue::kAdd, Epilogue::kSwiGlu};

template <typename Types>
class SkinnyMatMulTest : public testing::Test {};
using Elements = testing::Types<std::pair<float, float>, std::pair<BFloat16, float>,
                                std::pair<BFloat16, BFloat16>>;
TYPED_TEST_SUITE(SkinnyMatMulTest, Elements);

// A random product; y is filled, so that kAdd has something to add to.
template <typename T, typename Out>
struct Product {
  Product(std::mt19937_64& random, Epilogue the_epilogue, int the_rows, int the_in, int the_out)
      : epilogue(the_epilogue),
        rows(the_rows),
        in(the_in),
        out(the_out),
        weight_rows(epilogue == Epilogue::kSwiGlu ? 2 * out : out),
        x(int64_t{rows} * in),
        weight(int64_t{weight_rows} * in),
        bias(weight_rows),
        y(int64_t{rows} * out) {
    FillNormal(random, x);
    FillNormal(random, weight, 1 / std::sqrt(static_cast<float>(in)));
    FillNormal(random, bias);
    FillNormal(random, y);
    with_bias = Uniform(random, 0, 1) == 1;
  }

  SkinnyMatMulArgs<T, Out> DeviceArgs() {
    return {.x = x.device(),
            .weight = weight.device(),
            .bias = with_bias ? bias.device() : nullptr,
            .y = y.device(),
            .epilogue = epilogue,
            .rows = rows,
            .in = in,
            .out = out};
  }
  SkinnyMatMulArgs<T, Out> HostArgs() {
    SkinnyMatMulArgs<T, Out> args = DeviceArgs();
    args.x = x.host.data();
    args.weight = weight.host.data();
    args.bias = with_bias ? bias.host.data() : nullptr;
    args.y = y.host.data();
    return args;
  }

  const Epilogue epilogue;
  const int rows, in, out, weight_rows;
  bool with_bias = false;
  TestArray<T> x, weight, bias;
  TestArray<Out> y;
};

TYPED_TEST(SkinnyMatMulTest, EqualsItsTwinOnRandomShapes) {
  using T = typename TypeParam::first_type;
  using Out = typename TypeParam::second_type;
  constexpr int kRows[] = {1, 2, 7, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 130};
  uint64_t seed = 0;
  for (const int rows : kRows) {
    for (const Epilogue epilogue : kEpilogues) {
      SCOPED_TRACE(testing::Message() << "seed " << ++seed << ", " << rows << " rows, epilogue "
                                      << static_cast<int>(epilogue));
      std::mt19937_64 random(seed);
      const int in = kSkinnyInputs * Uniform(random, 1, seed % 4 == 0 ? 500 : 60);
      Product<T, Out> product(random, epilogue, rows, in, Uniform(random, 1, 50));
      Stream stream = NewStream();
      SkinnyMatMul(stream, product.DeviceArgs());
      ASSERT_TRUE(stream.Synchronize().ok());
      twin::SkinnyMatMul(product.HostArgs());
      EXPECT_LE(LargestError(product.y.Download(), product.y.host), RoundingTolerance<Out>());
    }
  }
}

TYPED_TEST(SkinnyMatMulTest, RowHasTheSameBitsInEveryBatch) {
  using T = typename TypeParam::first_type;
  using Out = typename TypeParam::second_type;
  for (const Epilogue epilogue : kEpilogues) {
    std::mt19937_64 random(7);
    constexpr int kRows = 70;
    Product<T, Out> product(random, epilogue, kRows, kSkinnyInputs * 107, 37);
    Stream stream = NewStream();
    SkinnyMatMul(stream, product.DeviceArgs());
    ASSERT_TRUE(stream.Synchronize().ok());
    const std::vector<Out> together = product.y.Download();
    for (const int rows : {1, 3, 8, 12, 20, 40, 64}) {
      const int first = Uniform(random, 0, kRows - rows);
      product.y.Upload();
      SkinnyMatMulArgs<T, Out> args = product.DeviceArgs();
      args.x += int64_t{first} * product.in;
      args.y += int64_t{first} * product.out;
      args.rows = rows;
      SkinnyMatMul(stream, args);
      ASSERT_TRUE(stream.Synchronize().ok());
      const std::vector<Out> alone = product.y.Download();
      const int64_t begin = int64_t{first} * product.out;
      EXPECT_EQ(std::memcmp(&alone[begin], &together[begin], rows * product.out * sizeof(Out)), 0)
          << rows << " rows from " << first << ", epilogue " << static_cast<int>(epilogue);
    }
  }
}

}  // namespace
}  // namespace memory3::cuda
