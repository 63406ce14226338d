#include "engine/sched/memory_session.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/byte_tokenizer.h"

namespace memory3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kChunk = 4;

class MemorySessionTest : public testing::Test {
 protected:
  MemorySession Make(std::vector<int32_t> prompt, int max_tokens, int window = 2, int lead = 0) {
    return MemorySession({.enabled = true, .details = true}, prompt, max_tokens,
                         ChunkPlan(static_cast<int>(prompt.size()), max_tokens, kChunk, lead),
                         /*memories_per_chunk=*/3, window, tokenizer_);
  }
  // With one memory, in `slot`.
  static void Settle(MemorySession& session, MemorySlot slot) {
    session.chunk(session.settled()).slots = {slot};
    ChunkReport report;
    report.chunk = session.settled();
    report.memories.resize(1);
    session.Settle(std::move(report));
  }

  const ByteTokenizer tokenizer_;
};

TEST_F(MemorySessionTest, ReservesSlotsForItsWindowOrForWhatItHas) {
  EXPECT_EQ(Make({'a'}, 4).slots_reserved(), 3);
  EXPECT_EQ(Make({'a'}, 6).slots_reserved(), 6);
  EXPECT_EQ(Make(std::vector<int32_t>(40, 'a'), 40).slots_reserved(), 6);
  EXPECT_EQ(Make(std::vector<int32_t>(40, 'a'), 40, /*window=*/4).slots_reserved(), 12);
}

TEST_F(MemorySessionTest, QueriesOfThePromptAreReadyAndOthersComeAtTheirPoint) {
  MemorySession session = Make({'a', 'b', 'c', 'd', 'e', 'f'}, 8, 2, /*lead=*/1);
  EXPECT_EQ(session.chunk(0).query, "abcd");
  EXPECT_EQ(session.chunk(1).query, "cdef");
  EXPECT_EQ(session.TokenSampled('1', tokenizer_), std::nullopt);
  EXPECT_EQ(session.TokenSampled('2', tokenizer_), std::nullopt);
  EXPECT_EQ(session.TokenSampled('3', tokenizer_), 2);
  EXPECT_EQ(session.chunk(2).query, "f123");
}

TEST_F(MemorySessionTest, AQueryIsValidTextWhereverAChunkEnds) {
  // The euro sign's three bytes lie across the border; the end-of-text token is no text.
  MemorySession session = Make({'a', ByteTokenizer::kEos, 0xe2, 0x82, 0xac, 'b'}, 1);
  EXPECT_EQ(session.chunk(0).query, "a\xef\xbf\xbd");
  EXPECT_EQ(session.chunk(1).query,
            "\xe2\x82\xac"
            "b");
}

TEST_F(MemorySessionTest, RowsSeeTheSlotsOfTheirChunks) {
  MemorySession session = Make(std::vector<int32_t>(10, 'a'), 4, /*window=*/3);
  EXPECT_EQ(session.RunnableRows(0), 0);
  Settle(session, 7);
  EXPECT_EQ(session.RunnableRows(0), 4);
  Settle(session, 8);
  Settle(session, 9);
  const absl::Span<const RowMemories> memories = session.MemoriesOf(2, 8);
  ASSERT_EQ(memories.size(), 3u);
  EXPECT_EQ(memories[0].first_row, 0);
  EXPECT_EQ(memories[1].first_row, 2);
  EXPECT_EQ(memories[2].first_row, 6);
  EXPECT_THAT(memories[0].slots, ElementsAre(7));
  EXPECT_THAT(memories[2].slots, ElementsAre(9));
  // The first chunk of the answer shares the last of the prompt's.
  ASSERT_EQ(session.MemoriesOf(12, 1).size(), 1u);
  EXPECT_THAT(session.MemoriesOf(12, 1)[0].slots, ElementsAre(9));
  EXPECT_GT(session.RunnableRows(12), 0);
}

TEST_F(MemorySessionTest, AChunkIsReadyWhenNothingMoreCanCome) {
  MemorySession session = Make({'a'}, 1);
  SessionChunk& chunk = session.chunk(0);
  EXPECT_FALSE(session.IsReady(0));
  chunk.stage = SessionChunk::Stage::kNamed;
  EXPECT_TRUE(session.IsReady(0)) << "no memories are as good as any";
  chunk.memories.resize(2);
  using State = WantedMemory::State;
  for (const State state : {State::kWanted, State::kLoading, State::kLoaded}) {
    chunk.memories[0].state = State::kInSlot;
    chunk.memories[1].state = state;
    EXPECT_FALSE(session.IsReady(0));
  }
  chunk.memories[1].state = State::kMissing;
  EXPECT_TRUE(session.IsReady(0));
}

TEST_F(MemorySessionTest, ReportsAreHandedOutOnce) {
  MemorySession session = Make(std::vector<int32_t>(8, 'a'), 1);
  Settle(session, 1);
  Settle(session, 2);
  std::vector<ChunkReport> reports;
  session.MoveReports(&reports);
  EXPECT_EQ(reports.size(), 2u);
  reports.clear();
  session.MoveReports(&reports);
  EXPECT_THAT(reports, IsEmpty());
  session.waiting_since = absl::Seconds(3);
  GenerationEvent::Usage usage;
  session.AddUsage(absl::Seconds(5), &usage);
  EXPECT_EQ(usage.memory_chunks, 2);
  EXPECT_EQ(usage.memories, 2);
  EXPECT_EQ(usage.memory_wait, absl::Seconds(2));
}

}  // namespace
}  // namespace memory3
