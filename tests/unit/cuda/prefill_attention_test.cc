#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "engine/cuda/kernels/attention.h"
#include "tests/unit/cuda/attention_case.h"
#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

// Rows of a piece of a prompt and the tiles that they are cut into: at every change of the set, and
// where a tile is full.
struct Prompt {
  std::vector<CaseRow> rows;
  std::vector<PrefillTile> tiles;

  void AddTile(int sequence, int first_visible, int count, int set) {
    tiles.push_back({static_cast<int32_t>(rows.size()), count});
    for (int i = 0; i < count; ++i) rows.push_back({sequence, first_visible + i, set});
  }
};

Prompt RandomPrompt(std::mt19937_64& random, int tile_rows, int sets, int max_context) {
  Prompt prompt;
  const int sequences = Uniform(random, 1, 3);
  for (int sequence = 0; sequence < sequences; ++sequence) {
    int visible = Uniform(random, 1, max_context);
    const int tiles = Uniform(random, 1, 3);
    for (int tile = 0; tile < tiles; ++tile) {
      const int count = Uniform(random, 1, tile_rows);
      prompt.AddTile(sequence, visible, count, Uniform(random, -1, sets - 1));
      visible += count;
    }
    // Rows that no tile names are left alone.
    if (Uniform(random, 0, 1) == 0) prompt.rows.push_back({});
  }
  return prompt;
}

template <typename T>
void Prefill(const AttentionCase<T>& step, const std::vector<PrefillTile>& tiles) {
  TestArray<PrefillTile> device_tiles(std::ssize(tiles));
  device_tiles.host = tiles;
  device_tiles.Upload();
  Stream stream = NewStream();
  PrefillAttention(stream, step.DeviceArgs(), device_tiles.device(),
                   static_cast<int32_t>(tiles.size()));
  ASSERT_TRUE(stream.Synchronize().ok());
}

template <typename T>
class PrefillAttentionTest : public testing::Test {};
using Elements = testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(PrefillAttentionTest, Elements);

constexpr AttentionShape kShapes[] = {
    {10, 2, 80}, {4, 4, 64}, {16, 1, 32}, {9, 1, 128},  {2, 1, 256}, {12, 1, 112}, {4, 2, 16},
    {8, 4, 8},   {6, 2, 48}, {3, 1, 96},  {32, 2, 192}, {17, 1, 64}, {2, 2, 6}};

TYPED_TEST(PrefillAttentionTest, EqualsItsTwinOnRandomPrompts) {
  uint64_t seed = 0;
  for (const AttentionShape& heads : kShapes) {
    SCOPED_TRACE(testing::Message() << "seed " << ++seed << " heads " << heads.heads << "/"
                                    << heads.kv_heads << " of " << heads.head_dim);
    std::mt19937_64 random(seed);
    const CaseShape shape = RandomCaseShape(random, heads);
    const int tile_rows = std::min(30, PrefillTileRows(heads));
    const Prompt prompt = RandomPrompt(random, tile_rows, shape.sets, 200);
    AttentionCase<TypeParam> step(shape, prompt.rows, seed);
    Prefill(step, prompt.tiles);
    twin::Attention(step.HostArgs(), 0, static_cast<int32_t>(prompt.rows.size()));
    EXPECT_LE(LargestError(step.out.Download(), step.out.host), RoundingTolerance<TypeParam>());
  }
}

// A prompt of one set in one piece, and the same rows cut elsewhere.
TYPED_TEST(PrefillAttentionTest, BitsOfARowDoNotDependOnTheCut) {
  const CaseShape shape = {.heads = {10, 2, 80},
                           .prefix_tokens = 4,
                           .memories_per_chunk = 3,
                           .kept_tokens = 4,
                           .sets = 2};
  Prompt whole;
  whole.AddTile(0, 60, PrefillTileRows(shape.heads), 1);
  AttentionCase<TypeParam> step(shape, whole.rows, 7);
  Prefill(step, whole.tiles);
  const std::vector<TypeParam> expected = step.out.Download();
  step.out.Upload();
  std::mt19937_64 random(3);
  std::vector<PrefillTile> cut;
  const auto rows = static_cast<int32_t>(whole.rows.size());
  for (int32_t row = 0; row < rows; row += cut.back().rows) {
    cut.push_back({row, Uniform(random, 1, std::min(9, rows - row))});
  }
  Prefill(step, cut);
  const std::vector<TypeParam> actual = step.out.Download();
  EXPECT_EQ(std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(TypeParam)), 0);
}

}  // namespace
}  // namespace memory3::cuda
