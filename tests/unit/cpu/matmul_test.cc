#include "engine/cpu/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "engine/base/bfloat16.h"

namespace memory3 {
namespace {

struct Case {
  CpuIsa isa;
  DType dtype;
};

// A tensor over its own storage, F32.
struct OwnedTensor {
  OwnedTensor(int64_t outputs, int64_t inputs, std::mt19937& random) : values(outputs * inputs) {
    std::normal_distribution<float> normal(0, 1);
    for (float& value : values) value = normal(random);
    tensor.shape = {outputs, inputs};
    tensor.data = absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(values.data()),
                                      values.size() * sizeof(float));
  }
  std::vector<float> values;
  Tensor tensor;
};

std::vector<float> RandomFloats(int64_t count, std::mt19937& random) {
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

float Rounded(float x, DType dtype) {
  return dtype == DType::kBF16 ? FromBfloat16(ToBfloat16(x)) : x;
}

class MatMulTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!IsSupported(GetParam().isa))
      GTEST_SKIP() << "this machine lacks " << NameOf(GetParam().isa);
  }
};

// Against double precision on the rounded operands: only the order and precision of the sums may
// differ.
TEST_P(MatMulTest, AgreesWithDoublePrecision) {
  const auto [isa, dtype] = GetParam();
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  ThreadPool pool(2);
  for (int round = 0; round < 40; ++round) {
    // Every eighth product is long enough for several blocks of inputs.
    const int64_t inputs = round % 8 == 7 ? 1000 + random() % 1500 : 1 + random() % 200;
    const int64_t first = 1 + random() % 70, second = 1 + random() % 70;
    const int64_t rows = 1 + random() % 70, outputs = first + second,
                  stride = outputs + random() % 5;
    const OwnedTensor a(first, inputs, random), b(second, inputs, random);
    const std::vector<float> x = RandomFloats(rows * inputs, random),
                             bias = RandomFloats(outputs, random);
    const std::vector<float> before = RandomFloats(rows * stride, random);
    const bool with_bias = random() % 2 == 0, accumulate = random() % 2 == 0;
    const PackedMatrix w = PackedMatrix::Pack({&a.tensor, &b.tensor}, dtype, isa, pool);
    ASSERT_EQ(w.outputs(), outputs);
    PackedInput input(rows, inputs);
    input.Set(x.data(), rows, inputs, dtype, pool);
    std::vector<float> y = before;
    MatMul(pool, w, input, with_bias ? bias.data() : nullptr, accumulate, y.data(), stride);

    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t output = 0; output < stride; ++output) {
        const float was = before[row * stride + output], is = y[row * stride + output];
        if (output >= outputs) {
          ASSERT_EQ(is, was) << "wrote beyond the outputs";
          continue;
        }
        const float* weights =
            output < first ? &a.values[output * inputs] : &b.values[(output - first) * inputs];
        double expected = (with_bias ? bias[output] : 0.0) + (accumulate ? was : 0.0),
               size = std::abs(expected);
        for (int64_t i = 0; i < inputs; ++i) {
          const double product =
              double{Rounded(weights[i], dtype)} * Rounded(x[row * inputs + i], dtype);
          expected += product;
          size += std::abs(product);
        }
        ASSERT_NEAR(is, expected, 1e-6 * size + 1e-6)
            << row << ", " << output << " of " << rows << "x" << outputs;
      }
    }
  }
}

TEST_P(MatMulTest, ARowsBitsDoNotDependOnTheOtherRowsOrOnThreads) {
  const auto [isa, dtype] = GetParam();
  std::mt19937 random(7);
  // Several blocks of inputs, the last one short; a panel that is only partly filled.
  constexpr int64_t kRows = 40, kInputs = 2093, kOutputs = 70;
  const OwnedTensor weights(kOutputs, kInputs, random);
  const std::vector<float> x = RandomFloats(kRows * kInputs, random);
  ThreadPool one(1);
  const PackedMatrix w = PackedMatrix::Pack({&weights.tensor}, dtype, isa, one);
  PackedInput input(kRows, kInputs);

  std::vector<float> alone(kRows * kOutputs);
  for (int64_t row = 0; row < kRows; ++row) {
    input.Set(&x[row * kInputs], 1, kInputs, dtype, one);
    MatMul(one, w, input, nullptr, false, &alone[row * kOutputs], kOutputs);
  }
  for (int threads = 1; threads <= 3; ++threads) {
    ThreadPool pool(threads);
    for (int64_t rows = 1; rows <= kRows; ++rows) {
      const int64_t first = random() % (kRows - rows + 1);
      std::vector<float> y(rows * kOutputs);
      input.Set(&x[first * kInputs], rows, kInputs, dtype, pool);
      MatMul(pool, w, input, nullptr, false, y.data(), kOutputs);
      ASSERT_EQ(std::memcmp(y.data(), &alone[first * kOutputs], y.size() * sizeof(float)), 0)
          << rows << " rows, " << threads << " threads";
    }
  }
}

// More rows than one thread takes through a panel at once.
TEST_P(MatMulTest, ManyRowsGiveTheBitsOfOne) {
  const auto [isa, dtype] = GetParam();
  std::mt19937 random(9);
  constexpr int64_t kRows = 515, kInputs = 1100, kOutputs = 40;
  const OwnedTensor weights(kOutputs, kInputs, random);
  const std::vector<float> x = RandomFloats(kRows * kInputs, random);
  const std::vector<float> bias = RandomFloats(kOutputs, random);
  const std::vector<float> residual = RandomFloats(kRows * kOutputs, random);
  ThreadPool pool(2);
  const PackedMatrix w = PackedMatrix::Pack({&weights.tensor}, dtype, isa, pool);
  PackedInput input(kRows, kInputs);
  std::vector<float> together = residual;
  input.Set(x.data(), kRows, kInputs, dtype, pool);
  MatMul(pool, w, input, bias.data(), true, together.data(), kOutputs);
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<float> alone(&residual[row * kOutputs], &residual[row * kOutputs] + kOutputs);
    input.Set(&x[row * kInputs], 1, kInputs, dtype, pool);
    MatMul(pool, w, input, bias.data(), true, alone.data(), kOutputs);
    ASSERT_EQ(std::memcmp(alone.data(), &together[row * kOutputs], kOutputs * sizeof(float)), 0)
        << "row " << row;
  }
}

// What is not finite stays in its row.
TEST_P(MatMulTest, KeepsNanAndInfinityInTheirRow) {
  const auto [isa, dtype] = GetParam();
  std::mt19937 random(10);
  constexpr int64_t kRows = 14, kInputs = 45, kOutputs = 33;
  const OwnedTensor weights(kOutputs, kInputs, random);
  std::vector<float> x = RandomFloats(kRows * kInputs, random);
  x[3 * kInputs + 44] = std::nanf("");
  x[9 * kInputs] = INFINITY;
  ThreadPool pool(1);
  const PackedMatrix w = PackedMatrix::Pack({&weights.tensor}, dtype, isa, pool);
  PackedInput input(kRows, kInputs);
  input.Set(x.data(), kRows, kInputs, dtype, pool);
  std::vector<float> y(kRows * kOutputs);
  MatMul(pool, w, input, nullptr, false, y.data(), kOutputs);
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t output = 0; output < kOutputs; ++output) {
      ASSERT_EQ(std::isfinite(y[row * kOutputs + output]), row != 3 && row != 9)
          << row << ", " << output;
    }
  }
}

TEST_P(MatMulTest, ReadsRowsBack) {
  const auto [isa, dtype] = GetParam();
  std::mt19937 random(8);
  ThreadPool pool(2);
  const OwnedTensor weights(75, 37, random);
  const PackedMatrix w = PackedMatrix::Pack({&weights.tensor}, dtype, isa, pool);
  std::vector<float> row(37);
  for (int64_t output = 0; output < 75; ++output) {
    w.ReadRow(output, row.data());
    for (int64_t i = 0; i < 37; ++i)
      ASSERT_EQ(row[i], Rounded(weights.values[output * 37 + i], dtype));
  }
}

std::string CaseName(const testing::TestParamInfo<Case>& instance) {
  return std::string(NameOf(instance.param.isa)) + "_" + std::string(NameOf(instance.param.dtype));
}

INSTANTIATE_TEST_SUITE_P(All, MatMulTest,
                         testing::Values(Case{CpuIsa::kPortable, DType::kF32},
                                         Case{CpuIsa::kPortable, DType::kBF16},
                                         Case{CpuIsa::kAvx2, DType::kF32},
                                         Case{CpuIsa::kAvx2, DType::kBF16},
                                         Case{CpuIsa::kAvx512Bf16, DType::kF32},
                                         Case{CpuIsa::kAvx512Bf16, DType::kBF16}),
                         CaseName);

}  // namespace
}  // namespace memory3
