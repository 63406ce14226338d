// The chunk loop when everything works: which memories every row sees, when queries leave, what is
// reported.
#include <string>
#include <vector>

#include "engine/base/field_error.h"
#include "engine/memory_director.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/memory_harness.h"

namespace memory3 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<MemoryId> IdsOf(const ChunkReport& report) {
  std::vector<MemoryId> ids;
  for (const ChunkReport::Memory& memory : report.memories) ids.push_back(memory.id);
  return ids;
}

void ExpectAnswer(const MemoryHarness& harness, const GenerationRequest& request,
                  const Transcript& said) {
  const ExpectedAnswer expected = AnswerOf(request, harness);
  ASSERT_TRUE(said.last.status.ok()) << said.last.status;
  EXPECT_EQ(said.ids(), expected.tokens);
  EXPECT_EQ(harness.runner->memories_seen(request.prompt), expected.memories_of_row);
  ASSERT_THAT(said.chunks, SizeIs(expected.memories_of_chunk.size()));
  int memories = 0;
  for (size_t i = 0; i < said.chunks.size(); ++i) {
    EXPECT_EQ(said.chunks[i].chunk, static_cast<int>(i));
    EXPECT_EQ(IdsOf(said.chunks[i]), expected.memories_of_chunk[i]) << "chunk " << i;
    EXPECT_FALSE(said.chunks[i].late || said.chunks[i].degraded) << said.chunks[i].reason;
    memories += static_cast<int>(said.chunks[i].memories.size());
  }
  ASSERT_TRUE(said.last.usage.has_value());
  EXPECT_EQ(said.last.usage->memory_chunks, static_cast<int>(said.chunks.size()));
  EXPECT_EQ(said.last.usage->late_chunks + said.last.usage->degraded_chunks, 0);
  EXPECT_EQ(said.last.usage->memories, memories);
}

TEST(EngineMemoryLoopTest, EveryRowSeesTheMemoriesOfItsChunk) {
  for (const int lead : {0, 1, 3}) {
    MemoryHarness harness({.memory = {.lead_tokens = lead}});
    for (int prompt = 1; prompt <= 14; ++prompt) {
      for (const int max_tokens : {1, 2, 4, 5, 6, 9, 14}) {
        SCOPED_TRACE(testing::Message()
                     << "lead " << lead << ", prompt " << prompt << ", answer " << max_tokens);
        const GenerationRequest request = MemoryRequestFor(PromptOf(prompt, lead), max_tokens);
        ExpectAnswer(harness, request, ReadAll(*harness.Submit(request).stream));
      }
    }
    EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
    EXPECT_TRUE(harness.AllFree());
    EXPECT_THAT(harness.runner->violations(), IsEmpty());
  }
}

// The published chunk of 64: 128 tokens in and out are two queries in one call, then one.
TEST(EngineMemoryLoopTest, QueriesOfThePublishedChunk) {
  for (const int lead : {0, 1, 8, 63}) {
    SCOPED_TRACE(testing::Message() << "lead " << lead);
    MemoryHarness harness({.info = MemoryRunnerInfo(64), .memory = {.lead_tokens = lead}});
    const GenerationRequest request = MemoryRequestFor(PromptOf(128), 128);
    const Transcript said = ReadAll(*harness.Submit(request).stream);
    ExpectAnswer(harness, request, said);
    std::vector<int32_t> context = request.prompt;
    for (const int32_t id : said.ids()) context.push_back(id);
    const auto text = [&](int begin, int end) {
      return ReplaceInvalidUtf8(
          harness.tokenizer.Decode(absl::MakeConstSpan(context).subspan(begin, end - begin), true));
    };
    EXPECT_THAT(harness.retriever.calls(), ElementsAre(ElementsAre(text(0, 64), text(64, 128)),
                                                       ElementsAre(text(128 - lead, 192 - lead))));
    EXPECT_EQ(said.chunks[2].first_token, 192);
    EXPECT_EQ(said.chunks[2].epoch, kTestEpoch);
  }
}

TEST(EngineMemoryLoopTest, AShortTailRetrievesWithTheLastTokensOfThePrompt) {
  MemoryHarness harness;
  ReadAll(*harness.Submit(MemoryRequestFor({'a', 'b', 'c', 'd', 'e', 'f'}, 1)).stream);
  ReadAll(*harness.Submit(MemoryRequestFor({'x', 'y'}, 1)).stream);
  EXPECT_THAT(harness.retriever.calls(),
              ElementsAre(ElementsAre("abcd", "cdef"), ElementsAre("xy")));
}

TEST(EngineMemoryLoopTest, AQueryLeavesWithTheTokenThatIsItsPoint) {
  for (const int lead : {0, 1, 3}) {
    SCOPED_TRACE(testing::Message() << "lead " << lead);
    MemoryHarness harness({.memory = {.lead_tokens = lead}, .gated = true});
    const Generation generation = harness.Submit(MemoryRequestFor(PromptOf(4), 12));
    harness.gate.AwaitStep();
    // After step n, n tokens are sampled.
    for (int sampled = 1; sampled <= 11; ++sampled) {
      harness.gate.RunStepAndAwaitNext();
      const int left = 1 + (sampled >= 4 - lead) + (sampled >= 8 - lead);
      EXPECT_THAT(harness.retriever.calls(), SizeIs(left)) << "after " << sampled;
    }
    harness.gate.Open();
    EXPECT_TRUE(ReadAll(*generation.stream).last.status.ok());
  }
}

TEST(EngineMemoryLoopTest, AStepRunsSeveralChunksOfAPromptUpToTheWindow) {
  for (const int held : {2, 3, 5}) {
    SCOPED_TRACE(testing::Message() << "chunks held " << held);
    MemoryHarness harness({.memory = {.chunks_held = held}, .gated = true});
    std::vector<size_t> rows;
    harness.runner->before_run = [&](const Batch& batch) {
      rows.push_back(batch.sequences[0].tokens.size());
      return absl::OkStatus();
    };
    const GenerationRequest request = MemoryRequestFor(PromptOf(20), 1);
    ExpectAnswer(harness, request, ReadAll(*harness.Submit(request).stream));
    const size_t window = 4 * static_cast<size_t>(held);
    ASSERT_EQ(rows.front(), std::min<size_t>(20, window));
    for (const size_t count : rows) EXPECT_LE(count, window);
  }
}

TEST(EngineMemoryLoopTest, ALongPromptGoesInSeveralCalls) {
  MemoryHarness harness;
  const GenerationRequest request = MemoryRequestFor(PromptOf(4 * kMaxQueriesPerRetrieval + 9), 3);
  ExpectAnswer(harness, request, ReadAll(*harness.Submit(request).stream));
  EXPECT_THAT(harness.retriever.calls(), ElementsAre(SizeIs(kMaxQueriesPerRetrieval), SizeIs(3)));
}

TEST(EngineMemoryLoopTest, WithoutMemoryItIsAPlainDecoder) {
  MemoryHarness harness;
  GenerationRequest request = MemoryRequestFor(PromptOf(10), 10);
  request.memory.enabled = false;
  const Transcript said = ReadAll(*harness.Submit(request).stream);
  EngineHarness plain(MemoryRunnerInfo());
  plain.Start();
  EXPECT_EQ(said.ids(), ReadAll(*plain.Submit(request).stream).ids());
  EXPECT_THAT(harness.retriever.calls(), IsEmpty());
  EXPECT_THAT(said.chunks, IsEmpty());
  EXPECT_EQ(said.last.usage->memory_chunks, 0);
}

TEST(EngineMemoryLoopTest, ReportsAreForThoseWhoAsk) {
  MemoryHarness harness;
  GenerationRequest request = MemoryRequestFor(PromptOf(6), 10);
  request.memory.details = false;
  const Transcript said = ReadAll(*harness.Submit(request).stream);
  EXPECT_THAT(said.chunks, IsEmpty());
  EXPECT_EQ(said.last.usage->memory_chunks, 4);
}

TEST(EngineMemoryLoopTest, MemoriesStayInTheirSlotsAsTheFastestTier) {
  MemoryHarness harness;
  const GenerationRequest request = MemoryRequestFor(PromptOf(4), 5);
  const Transcript cold = ReadAll(*harness.Submit(request).stream);
  const int reads = harness.bank.reads();
  EXPECT_EQ(cold.chunks[0].memories[0].tier, MemoryTier::kDisk);
  const Transcript warm = ReadAll(*harness.Submit(request).stream);
  EXPECT_EQ(warm.chunks[0].memories[0].tier, MemoryTier::kDevice);
  EXPECT_EQ(warm.ids(), cold.ids());
  EXPECT_EQ(harness.bank.reads(), reads);
}

TEST(EngineMemoryLoopTest, SequencesShareLoadsAndSlots) {
  MemoryHarness harness;
  harness.bank.courier.Hold();
  const GenerationRequest request = MemoryRequestFor(PromptOf(4), 4);
  const Generation first = harness.Submit(request);
  const Generation second = harness.Submit(request);
  ASSERT_TRUE(harness.AwaitWaiting(2));
  harness.bank.courier.StopHolding();
  EXPECT_EQ(ReadAll(*first.stream).ids(), ReadAll(*second.stream).ids());
  EXPECT_EQ(harness.bank.reads(), harness.runner->slots_filled());
  EXPECT_LE(harness.bank.reads(), harness.options.info.memory.memories_per_chunk);
}

TEST(EngineMemoryLoopTest, ManyRequestsForFewSlotsAllFinish) {
  MemoryHarnessOptions options;
  options.info.memory.slots = 5;  // two chunks' and one more: one request at a time
  MemoryHarness harness(options);
  std::vector<GenerationRequest> requests;
  std::vector<Generation> generations;
  for (int i = 0; i < 12; ++i) {
    requests.push_back(MemoryRequestFor(PromptOf(3 + i, i), 3 + i));
    generations.push_back(harness.Submit(requests.back()));
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    ExpectAnswer(harness, requests[i], ReadAll(*generations[i].stream));
  }
  EXPECT_THAT(harness.runner->violations(), IsEmpty());
}

TEST(EngineMemoryChecksTest, AnEngineWithoutMemoriesRefusesRequestsForThem) {
  EngineHarness harness(MemoryRunnerInfo());
  harness.Start();
  const absl::StatusOr<Generation> refused = harness.engine->Submit(MemoryRequestFor({'a'}, 1));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(refused.status()), "use_memory");
}

TEST(EngineMemoryChecksTest, MemoryTakesItsPartOfTheContext) {
  MemoryHarness harness;
  const int context = harness.options.info.max_context - 10;
  EXPECT_TRUE(
      ReadAll(*harness.Submit(MemoryRequestFor(PromptOf(context - 2), 2)).stream).last.status.ok());
  const absl::StatusOr<Generation> longer =
      harness.engine->Submit(MemoryRequestFor(PromptOf(context - 2), 3));
  EXPECT_EQ(FieldOf(longer.status()), "max_tokens");
  EXPECT_THAT(std::string(longer.status().message()), HasSubstr("explicit memory"));
  EXPECT_EQ(FieldOf(harness.engine->Submit(MemoryRequestFor(PromptOf(context), 1)).status()),
            "prompt");
  GenerationRequest plain = MemoryRequestFor(PromptOf(context), 3);
  plain.memory.enabled = false;
  EXPECT_TRUE(ReadAll(*harness.Submit(plain).stream).last.status.ok());
}

TEST(EngineMemoryChecksTest, OptionsThatCannotWorkAreNamed) {
  MemoryHarness parts;
  EngineMemory memory = parts.options.memory;
  memory.retriever = &parts.retriever;
  memory.store = &parts.bank;
  memory.loader = &parts.loader;
  const auto field_of = [&](EngineMemory changed, const RunnerInfo& info) {
    return FieldOf(
        Engine::Create({.memory = changed}, std::make_unique<FakeRunner>(info), parts.tokenizer)
            .status());
  };
  const RunnerInfo info = MemoryRunnerInfo();
  EXPECT_EQ(field_of(memory, info), std::nullopt);
  EXPECT_EQ(field_of(memory, SmallRunnerInfo()), "memory");
  EngineMemory changed = memory;
  changed.loader = nullptr;
  EXPECT_EQ(field_of(changed, info), "memory");
  changed = memory;
  changed.lead_tokens = 4;
  EXPECT_EQ(field_of(changed, info), "memory.lead_tokens");
  changed = memory;
  changed.chunks_held = 1;
  EXPECT_EQ(field_of(changed, info), "memory.chunks_held");
  changed.chunks_held = 9;
  EXPECT_EQ(field_of(changed, info), "memory.chunks_held");
  changed = memory;
  changed.boundary_deadline = -absl::Seconds(1);
  EXPECT_EQ(field_of(changed, info), "memory.boundary_deadline");
  RunnerInfo other = info;
  other.memory.shape.layers = 3;
  EXPECT_EQ(field_of(memory, other), "memory.store");
}

}  // namespace
}  // namespace memory3
