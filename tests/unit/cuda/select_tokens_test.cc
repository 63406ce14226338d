#include "engine/cuda/kernels/select_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

// Rows of random references, some tokens of which are equal, between rows of nobody.
template <typename T>
struct SelectCase {
  SelectCase(const AttentionShape& shape_in, int max_tokens_in, uint64_t seed, float deviation)
      : random(seed),
        shape(shape_in),
        max_tokens(max_tokens_in),
        width(int64_t{shape.heads + 2 * shape.kv_heads} * shape.head_dim),
        references(Uniform(random, 1, 4)),
        kept_tokens(Uniform(random, 1, 9)),
        qkv((max_tokens + 2) * std::ssize(references.host) * width),
        bias(width),
        kept(std::ssize(references.host) * shape.kv_heads * kept_tokens, -7) {
    FillNormal(random, qkv, deviation);
    FillNormal(random, bias);
    int32_t row = 0;
    for (ReferenceRows& reference : references.host) {
      row += Uniform(random, 0, 2);
      reference = {row, Uniform(random, 1, max_tokens)};
      for (int i = 0; i < reference.tokens / 4; ++i) {
        CopyRow(row + Uniform(random, 0, reference.tokens - 1),
                row + Uniform(random, 0, reference.tokens - 1));
      }
      row += reference.tokens;
    }
    references.Upload();
    qkv.Upload();
  }

  void CopyRow(int64_t from, int64_t to) {
    std::copy_n(qkv.host.begin() + from * width, width, qkv.host.begin() + to * width);
  }
  bool SameRow(int64_t a, int64_t b) const {
    return std::memcmp(qkv.host.data() + a * width, qkv.host.data() + b * width,
                       width * sizeof(T)) == 0;
  }

  SelectTokensArgs<T> Args(TokenSelection rule, bool with_bias, bool device) {
    return {.shape = shape,
            .qkv = device ? qkv.device() : qkv.host.data(),
            .bias = !with_bias ? nullptr
                    : device   ? bias.device()
                               : bias.host.data(),
            .references = device ? references.device() : references.host.data(),
            .reference_count = static_cast<int32_t>(references.host.size()),
            .max_tokens = max_tokens,
            .rule = rule,
            .kept_tokens = kept_tokens,
            .kept = device ? kept.device() : kept.host.data()};
  }

  std::mt19937_64 random;
  AttentionShape shape;
  int max_tokens;
  int64_t width;
  TestArray<ReferenceRows> references;
  int kept_tokens;
  TestArray<T> qkv, bias;
  TestArray<int32_t> kept;
};

// Ascending, all there, none of them lighter than one left out but for rounding, and of equal
// tokens the lower ones.
template <typename T>
void ExpectHeaviest(const SelectCase<T>& step, const ReferenceRows& reference,
                    const std::vector<double>& log_weights, double tolerance, const int32_t* kept) {
  const int count = std::min(step.kept_tokens, reference.tokens);
  std::vector<bool> is_kept(reference.tokens);
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(kept[i] >= 0 && kept[i] < reference.tokens) << kept[i];
    ASSERT_TRUE(i == 0 || kept[i] > kept[i - 1]);
    is_kept[kept[i]] = true;
  }
  for (int i = count; i < step.kept_tokens; ++i) EXPECT_EQ(kept[i], -1);
  for (int a = 0; a < reference.tokens; ++a) {
    if (!is_kept[a]) continue;
    for (int b = 0; b < reference.tokens; ++b) {
      if (is_kept[b]) continue;
      EXPECT_GE(log_weights[a], log_weights[b] - tolerance);
      const bool same = step.SameRow(reference.first_row + a, reference.first_row + b);
      EXPECT_TRUE(!same || a < b) << a << " kept, its equal " << b << " not";
    }
  }
}

template <typename T>
void ExpectRule(SelectCase<T>& step, TokenSelection rule, bool with_bias) {
  Stream stream = NewStream();
  SelectTokens(stream, step.Args(rule, with_bias, true));
  ASSERT_TRUE(stream.Synchronize().ok());
  const std::vector<int32_t> actual = step.kept.Download();
  const SelectTokensArgs<T> host = step.Args(rule, with_bias, false);
  twin::SelectTokens(host);
  const int heads = step.shape.kv_heads;
  for (size_t i = 0; i < step.references.host.size() * heads; ++i) {
    const ReferenceRows& reference = step.references.host[i / heads];
    const std::vector<double> weights =
        twin::LogWeights(host, reference, static_cast<int32_t>(i % heads));
    // Sums of inputs and bias may be rounded.
    const double tolerance = with_bias && sizeof(T) == 2 ? 3e-2 : 1e-4;
    ExpectHeaviest(step, reference, weights, tolerance, actual.data() + i * step.kept_tokens);
    ExpectHeaviest(step, reference, weights, 0, step.kept.host.data() + i * step.kept_tokens);
  }
}

template <typename T>
class SelectTokensTest : public testing::Test {};
using Elements = testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(SelectTokensTest, Elements);

TYPED_TEST(SelectTokensTest, KeepsTheHeaviestTokens) {
  constexpr AttentionShape kShapes[] = {{10, 2, 80}, {4, 4, 64}, {16, 1, 32}, {2, 1, 128},
                                        {8, 4, 8},   {4, 2, 16}, {6, 2, 48},  {1, 1, 256}};
  uint64_t seed = 0;
  for (const AttentionShape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << "seed " << ++seed << " heads " << shape.heads << "/"
                                    << shape.kv_heads << " of " << shape.head_dim);
    SelectCase<TypeParam> step(shape, shape.head_dim > 64 ? 48 : 128, seed, 1.0f);
    ExpectRule(step, TokenSelection::kSoftmaxSum, seed % 2 == 0);
    ExpectRule(step, TokenSelection::kExpSum, seed % 3 == 0);
  }
}

// Scores whose exponentials overflow any float.
TYPED_TEST(SelectTokensTest, SumsExponentialsInLogSpace) {
  SelectCase<TypeParam> step({2, 1, 64}, 40, 5, 12.0f);
  ExpectRule(step, TokenSelection::kExpSum, false);
}

TYPED_TEST(SelectTokensTest, KeepsTokensThatExistWhateverTheWeights) {
  SelectCase<TypeParam> step({2, 1, 64}, 40, 5, 1.0f);
  step.qkv.host.assign(step.qkv.host.size(), FromFloat<TypeParam>(NAN));
  step.qkv.Upload();
  Stream stream = NewStream();
  SelectTokens(stream, step.Args(TokenSelection::kSoftmaxSum, false, true));
  ASSERT_TRUE(stream.Synchronize().ok());
  const std::vector<int32_t> kept = step.kept.Download();
  for (size_t i = 0; i < kept.size(); ++i) {
    const int place = static_cast<int>(i) % step.kept_tokens;
    const int tokens = step.references.host[i / step.kept_tokens].tokens;
    EXPECT_EQ(kept[i], place < tokens ? place : -1);
  }
}

TYPED_TEST(SelectTokensTest, LongReferences) {
  SelectCase<TypeParam> step({1, 1, 16}, 300, 2, 1.0f);
  ExpectRule(step, TokenSelection::kSoftmaxSum, false);
}

template <typename T, typename Record>
void ExpectGather(uint64_t seed) {
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const AttentionShape shape = {4, 2, Uniform(random, 1, 5) * 16};
  const int references = Uniform(random, 1, 4);
  const int kept_tokens = Uniform(random, 1, 8);
  const int block_tokens = 16 * Uniform(random, 1, 2);
  const int max_blocks = 3;
  const int blocks = references * max_blocks;
  const int64_t stride = int64_t{2} * shape.kv_heads * kept_tokens * shape.head_dim + 64;
  TestArray<T> keys(int64_t{blocks} * shape.kv_heads * block_tokens * shape.head_dim);
  TestArray<T> values(std::ssize(keys.host));
  FillNormal(random, keys);
  FillNormal(random, values);
  TestArray<int32_t> tables(blocks);
  std::iota(tables.host.begin(), tables.host.end(), 0);
  std::shuffle(tables.host.begin(), tables.host.end(), random);
  tables.Upload();
  TestArray<int32_t> kept(int64_t{references} * shape.kv_heads * kept_tokens);
  for (int32_t& token : kept.host) token = Uniform(random, -1, max_blocks * block_tokens - 1);
  kept.Upload();
  TestArray<Record> records(references * stride, FromFloat<Record>(3));
  const auto args = [&](bool device) -> GatherMemoryArgs<T, Record> {
    return {.shape = shape,
            .kept = device ? kept.device() : kept.host.data(),
            .reference_count = references,
            .kept_tokens = kept_tokens,
            .cache = {.keys = device ? keys.device() : keys.host.data(),
                      .values = device ? values.device() : values.host.data(),
                      .block_tokens = block_tokens,
                      .block_tables = device ? tables.device() : tables.host.data(),
                      .max_blocks = max_blocks},
            .records = device ? records.device() : records.host.data(),
            .record_stride = stride};
  };
  Stream stream = NewStream();
  GatherMemory(stream, args(true));
  ASSERT_TRUE(stream.Synchronize().ok());
  twin::GatherMemory(args(false));
  const std::vector<Record> actual = records.Download();
  EXPECT_EQ(std::memcmp(actual.data(), records.host.data(), actual.size() * sizeof(Record)), 0);
}

TEST(GatherMemoryTest, EqualsItsTwin) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    ExpectGather<float, float>(seed);
    ExpectGather<float, BFloat16>(seed);
    ExpectGather<BFloat16, float>(seed);
    ExpectGather<BFloat16, BFloat16>(seed);
  }
}

}  // namespace
}  // namespace memory3::cuda
