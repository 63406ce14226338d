#include "tools/chat_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/tools/scripted_chat_server.h"
#include "tools/rpc_client.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::MemoryChunk Chunk(int index, const std::vector<uint64_t>& ids) {
  v1::MemoryChunk chunk;
  chunk.set_index(index);
  chunk.set_first_token(64 * index);
  chunk.set_bank_epoch(3);
  chunk.set_retrieval_seconds(0.002);
  for (const uint64_t id : ids) {
    v1::UsedMemory* memory = chunk.add_memories();
    memory->set_memory_id(id);
    memory->set_score(0.5);
    memory->set_tier(v1::MEMORY_TIER_DISK);
    memory->set_load_seconds(0.001);
  }
  return chunk;
}

class ChatMemoryTest : public ::testing::Test {
 protected:
  ChatMemoryTest() {
    server_.bank.references[7].set_title("Ada");
    server_.bank.references[7].set_text("She wrote\n the first\tprogram.");
    server_.bank.references[8].set_text("Babbage drew it.");
  }
  ScriptedChatServer server_;
  ReferenceTexts texts_{ConnectTo(server_.target())};
};

TEST_F(ChatMemoryTest, ShowsEveryChunkWithTheTextsOfItsReferences) {
  EXPECT_EQ(DescribeMemories({Chunk(0, {7, 8})}, texts_),
            "chunk 0, from token 0: retrieved in 2 ms, waited 0 ms\n"
            "  7  0.500  disk 1 ms  Ada: She wrote the first program.\n"
            "  8  0.500  disk 1 ms  Babbage drew it.\n");
}

TEST_F(ChatMemoryTest, WritesAndFetchesATextOnce) {
  const std::string shown = DescribeMemories({Chunk(0, {7}), Chunk(1, {7})}, texts_);
  EXPECT_THAT(shown, HasSubstr("chunk 1, from token 64"));
  EXPECT_THAT(shown, HasSubstr("(above)"));
  EXPECT_THAT(DescribeMemories({Chunk(0, {7})}, texts_), HasSubstr("Ada: She"));
  EXPECT_EQ(server_.bank.calls, 1);
}

TEST_F(ChatMemoryTest, SaysWhyAChunkHasNoMemoriesAndATextIsGone) {
  v1::MemoryChunk chunk = Chunk(2, {9});
  chunk.set_late(true);
  chunk.set_degraded(true);
  chunk.set_reason("the sidecar is away");
  const std::string shown = DescribeMemories({chunk}, texts_);
  EXPECT_THAT(shown, HasSubstr(", late, degraded: the sidecar is away\n"));
  EXPECT_THAT(shown, HasSubstr("[no text: NOT_FOUND: deleted]"));
}

TEST_F(ChatMemoryTest, CutsLongTextsBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "\xe8\xae\xb0";  // three bytes each
  server_.bank.references[1].set_text(text);
  const std::string& shown = texts_.Shown(3, 1);
  EXPECT_EQ(shown.size(), 3u * ReferenceTexts::kMaxShownCharacters + 3);
  EXPECT_EQ(shown.substr(shown.size() - 6), "\xe8\xae\xb0...");
  // A text must not speak to the terminal.
  server_.bank.references[2].set_text("a\x1b[2Jb");
  EXPECT_THAT(texts_.Shown(3, 2), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace memory3
