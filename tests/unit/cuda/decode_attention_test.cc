#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "engine/cuda/kernels/attention.h"
#include "tests/unit/cuda/attention_case.h"
#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

// Scratch as the runner keeps it: zeros before its first use only.
class Decoder {
 public:
  Decoder(const AttentionShape& shape, int rows, int max_context)
      : max_context_(max_context), scratch_(DecodeScratchFloats(shape, rows, max_context), 0.0f) {}

  template <typename T>
  void Run(const AttentionCase<T>& step, int first_row, int rows) {
    Stream stream = NewStream();
    DecodeAttention(stream, step.DeviceArgs(), first_row, rows, max_context_, scratch_.device());
    ASSERT_TRUE(stream.Synchronize().ok());
  }

 private:
  int max_context_;
  TestArray<float> scratch_;
};

// Rows of sequences of their own, some of them padding, at most `max_context` long.
std::vector<CaseRow> RandomRows(std::mt19937_64& random, int sets, int max_context) {
  std::vector<CaseRow> rows(Uniform(random, 1, 5));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && Uniform(random, 0, 3) == 0) continue;
    rows[i] = {.sequence = static_cast<int>(i),
               .visible = Uniform(random, 1, max_context),
               .set = Uniform(random, -1, sets - 1)};
  }
  return rows;
}

template <typename T>
void ExpectTwin(AttentionCase<T>& step, int first_row, int rows, Decoder& decoder) {
  decoder.Run(step, first_row, rows);
  twin::Attention(step.HostArgs(), first_row, rows);
  EXPECT_LE(LargestError(step.out.Download(), step.out.host), RoundingTolerance<T>());
}

template <typename T>
class DecodeAttentionTest : public testing::Test {};
using Elements = testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(DecodeAttentionTest, Elements);

constexpr AttentionShape kShapes[] = {
    {10, 2, 80}, {5, 1, 80}, {4, 4, 64},   {16, 1, 32}, {9, 1, 128}, {2, 1, 256}, {12, 1, 112},
    {4, 2, 16},  {8, 4, 8},  {24, 2, 192}, {17, 1, 64}, {3, 3, 96},  {2, 2, 6}};

TYPED_TEST(DecodeAttentionTest, EqualsItsTwinOnRandomSteps) {
  uint64_t seed = 0;
  for (const AttentionShape& heads : kShapes) {
    SCOPED_TRACE(testing::Message() << "seed " << ++seed << " heads " << heads.heads << "/"
                                    << heads.kv_heads << " of " << heads.head_dim);
    std::mt19937_64 random(seed);
    const CaseShape shape = RandomCaseShape(random, heads);
    const int max_context = Uniform(random, 1, 3 * kDecodePartTokens);
    const std::vector<CaseRow> rows = RandomRows(random, shape.sets, max_context);
    AttentionCase<TypeParam> step(shape, rows, seed);
    Decoder decoder(heads, static_cast<int>(rows.size()), max_context);
    const int first = Uniform(random, 0, static_cast<int>(rows.size()) - 1);
    ExpectTwin(step, first, static_cast<int>(rows.size()) - first, decoder);
    ExpectTwin(step, 0, static_cast<int>(rows.size()), decoder);
  }
}

TYPED_TEST(DecodeAttentionTest, PartsOfARowAreSharedOutToFewerBlocks) {
  const CaseShape shape = {.heads = {2, 1, 32}, .prefix_tokens = 3, .memory_layer = false};
  // So many rows that a row gets one block, which runs all of its parts.
  std::vector<CaseRow> rows(1030);
  rows[2] = {.sequence = 0, .visible = 4 * kDecodePartTokens, .set = 0};
  rows[1023] = {.sequence = 1, .visible = 2 * kDecodePartTokens + 1};
  rows[1028] = {.sequence = 2, .visible = kDecodePartTokens + 1};
  AttentionCase<TypeParam> step(shape, rows, 1);
  Decoder decoder(shape.heads, 1030, 4 * kDecodePartTokens);
  ExpectTwin(step, 0, 1030, decoder);
  ExpectTwin(step, 0, 1030, decoder);
}

// What was captured with some rows serves others: the launch depends on no table.
TYPED_TEST(DecodeAttentionTest, AGraphServesOtherRows) {
  const CaseShape shape = {
      .heads = {4, 2, 32}, .prefix_tokens = 2, .memories_per_chunk = 2, .kept_tokens = 3};
  const int max_context = 3 * kDecodePartTokens;
  AttentionCase<TypeParam> step(shape, {{0, max_context, 0}, {1, 200, -1}, {2, 100, 0}}, 3);
  TestArray<float> scratch(DecodeScratchFloats(shape.heads, 3, max_context), 0.0f);
  Stream stream = NewStream();
  absl::StatusOr<Graph> graph = Graph::Capture(stream, [&] {
    DecodeAttention(stream, step.DeviceArgs(), 0, 3, max_context, scratch.device());
  });
  ASSERT_TRUE(graph.ok());
  for (const int change : {0, 1, 2}) {
    SCOPED_TRACE(change);
    if (change == 1) {
      step.sequence.host = {0, -1, 2};
      step.visible.host = {17, -1, 97};
      step.memory_set.host = {-1, -1, 0};
    } else if (change == 2) {
      step.sequence.host = {1, 0, -1};
      step.visible.host = {200, max_context - 1, 0};
      step.memory_set.host = {0, 0, -1};
    }
    for (TestArray<int32_t>* table : {&step.sequence, &step.visible, &step.memory_set}) {
      table->Upload();
    }
    graph->Launch(stream);
    ASSERT_TRUE(stream.Synchronize().ok());
    twin::Attention(step.HostArgs(), 0, 3);
    EXPECT_LE(LargestError(step.out.Download(), step.out.host), RoundingTolerance<TypeParam>());
  }
}

// The same row, first alone and then as the last of others with another bound of the context.
TYPED_TEST(DecodeAttentionTest, BitsOfARowDoNotDependOnTheBatch) {
  for (const int visible : {1, kDecodePartTokens, kDecodePartTokens + 7, 3 * kDecodePartTokens}) {
    SCOPED_TRACE(visible);
    const CaseShape shape = {.heads = {10, 2, 80},
                             .prefix_tokens = 4,
                             .memories_per_chunk = 3,
                             .kept_tokens = 4,
                             .sets = 3};
    std::vector<CaseRow> rows = {
        {0, 2 * kDecodePartTokens, 1}, {}, {1, 5, -1}, {2, kDecodePartTokens, 0}, {3, visible, 2}};
    AttentionCase<TypeParam> step(shape, rows, 7);
    const auto row_of = [&] {
      const std::vector<TypeParam> all = step.out.Download();
      return std::vector<TypeParam>(all.end() - step.row_elements(), all.end());
    };
    Decoder alone(shape.heads, 1, visible);
    alone.Run(step, 4, 1);
    const std::vector<TypeParam> expected = row_of();
    step.out.Upload();
    Decoder together(shape.heads, 5, 9 * kDecodePartTokens);
    together.Run(step, 0, 5);
    const std::vector<TypeParam> actual = row_of();
    EXPECT_EQ(std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(TypeParam)), 0);
  }
}

}  // namespace
}  // namespace memory3::cuda
