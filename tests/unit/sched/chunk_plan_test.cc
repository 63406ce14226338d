#include "engine/sched/chunk_plan.h"

#include <algorithm>
#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace memory3 {
namespace {

using testing::ElementsAre;

// The rules said once more, by walking through a request token by token.
struct Walk {
  std::vector<int> chunk_of_row;
  std::map<int, TokenRange> queries;  // by chunk
  std::map<int, int> query_after;     // tokens generated -> chunk, answers only
  std::map<int, int> first_row;       // by chunk
};

Walk WalkThrough(int prompt, int max_tokens, int chunk_tokens, int lead) {
  Walk walk;
  int chunk = -1;
  for (int row = 0; row < prompt; ++row) {
    if (row % chunk_tokens == 0) {
      walk.first_row[++chunk] = row;
      const bool full = row + chunk_tokens <= prompt;
      walk.queries[chunk] = full ? TokenRange{row, row + chunk_tokens}
                                 : TokenRange{std::max(0, prompt - chunk_tokens), prompt};
    }
    walk.chunk_of_row.push_back(chunk);
  }
  // Generated token t is sampled, then, unless it is the last, is the input of the next step.
  const int last_prompt_chunk = chunk;
  for (int t = 0; t < max_tokens; ++t) {
    const int context = prompt + t + 1;
    for (int c = 1; c * chunk_tokens < max_tokens - 1; ++c) {
      if (t != c * chunk_tokens - 1 - lead) continue;
      walk.query_after[t + 1] = last_prompt_chunk + c;
      walk.queries[last_prompt_chunk + c] = {std::max(0, context - chunk_tokens), context};
    }
    if (t == max_tokens - 1) break;
    if (t > 0 && t % chunk_tokens == 0) walk.first_row[++chunk] = prompt + t;
    walk.chunk_of_row.push_back(chunk);
  }
  return walk;
}

TEST(ChunkPlanTest, EverySmallRequestAgreesWithAWalkThroughIt) {
  for (const int chunk_tokens : {1, 2, 3, 4, 7}) {
    for (int lead = 0; lead < chunk_tokens; ++lead) {
      for (int prompt = 1; prompt <= 3 * chunk_tokens + 1; ++prompt) {
        for (int max_tokens = 1; max_tokens <= 4 * chunk_tokens + 2; ++max_tokens) {
          SCOPED_TRACE(testing::Message() << "prompt " << prompt << ", answer " << max_tokens
                                          << ", chunk " << chunk_tokens << ", lead " << lead);
          const Walk walk = WalkThrough(prompt, max_tokens, chunk_tokens, lead);
          const ChunkPlan plan(prompt, max_tokens, chunk_tokens, lead);
          ASSERT_EQ(plan.prompt_chunks(), walk.chunk_of_row[prompt - 1] + 1);
          ASSERT_EQ(plan.chunks(), walk.chunk_of_row.back() + 1);
          for (size_t row = 0; row < walk.chunk_of_row.size(); ++row) {
            ASSERT_EQ(plan.ChunkOf(static_cast<int>(row)), walk.chunk_of_row[row]) << "row " << row;
          }
          ASSERT_EQ(walk.queries.size(), static_cast<size_t>(plan.chunks()));
          for (const auto& [chunk, row] : walk.first_row) ASSERT_EQ(plan.FirstRow(chunk), row);
          for (const auto& [chunk, range] : walk.queries) {
            ASSERT_EQ(plan.QueryTokens(chunk), range) << "chunk " << chunk;
          }
          for (int generated = 0; generated <= max_tokens; ++generated) {
            const auto leaves = walk.query_after.find(generated);
            ASSERT_EQ(plan.QueryAfter(generated), leaves == walk.query_after.end()
                                                      ? std::nullopt
                                                      : std::optional(leaves->second))
                << "after " << generated;
          }
        }
      }
    }
  }
}

// A prompt row's chunk is its index over the chunk; a generated row's counts on from the last
// prompt chunk, which it inherits at first.
TEST(ChunkPlanTest, RowsOfThePublishedShape) {
  for (int prompt = 1; prompt <= 200; ++prompt) {
    const ChunkPlan plan(prompt, 200, 64, 8);
    const int last = (prompt - 1) / 64;
    for (int row = 0; row < prompt + 199; ++row) {
      ASSERT_EQ(plan.ChunkOf(row), row < prompt ? row / 64 : last + (row - prompt) / 64);
    }
  }
}

TEST(ChunkPlanTest, AHundredTwentyEightTokensInAndOutAreThreeRetrievals) {
  for (const int lead : {0, 1, 8, 63}) {
    const ChunkPlan plan(128, 128, 64, lead);
    EXPECT_EQ(plan.prompt_chunks(), 2);
    EXPECT_EQ(plan.chunks(), 3);
    std::vector<int> left;
    for (int generated = 1; generated <= 128; ++generated) {
      if (plan.QueryAfter(generated).has_value()) left.push_back(generated);
    }
    EXPECT_THAT(left, ElementsAre(64 - lead));
    EXPECT_EQ(plan.QueryTokens(2), (TokenRange{128 - lead, 192 - lead}));
    EXPECT_EQ(plan.FirstRow(2), 192);
  }
}

TEST(ChunkPlanTest, AChunkWithoutRowsIsNotAskedFor) {
  // Token 64 is sampled but never an input: 64 rows of the answer at most.
  EXPECT_EQ(ChunkPlan(10, 65, 64, 0).chunks(), 1);
  EXPECT_EQ(ChunkPlan(10, 65, 64, 0).QueryAfter(64), std::nullopt);
  EXPECT_EQ(ChunkPlan(10, 66, 64, 0).QueryAfter(64), 1);
}

}  // namespace
}  // namespace memory3
