// What a client of the chat service gets: the answer in pieces and whole.
#include <cmath>

#include "engine/text/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

using testing::ElementsAreArray;

class ServerChatTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<TestServer>(TestOptions(QuickModel()));
  }
  static void TearDownTestSuite() { server_.reset(); }

  v1::ChatCompletion Complete(const v1::ChatRequest& request) {
    grpc::ClientContext context;
    v1::ChatCompletion completion;
    const grpc::Status status = server_->chat().Complete(&context, request, &completion);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return completion;
  }

  static inline std::unique_ptr<TestServer> server_;
};

TEST_F(ServerChatTest, StreamedAnswerIsTheWholeAnswerInPieces) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    v1::ChatRequest request = MessageRequest("Who goes there?", 40, seed);
    request.set_logprobs(true);
    request.set_top_logprobs(3);
    const ChatAnswer streamed = Chat(server_->chat(), request);
    ASSERT_TRUE(streamed.status.ok()) << streamed.status.error_message();
    const v1::ChatCompletion whole = Complete(request);
    EXPECT_EQ(streamed.text(), whole.message().content());
    EXPECT_THAT(streamed.token_ids(), ElementsAreArray(whole.token_ids()));
    ASSERT_EQ(streamed.logprobs().size(), static_cast<size_t>(whole.logprobs_size()));
    for (int i = 0; i < whole.logprobs_size(); ++i) {
      EXPECT_EQ(streamed.logprobs()[i].SerializeAsString(), whole.logprobs(i).SerializeAsString());
    }
    EXPECT_EQ(streamed.chunks.back().finish_reason(), whole.finish_reason());
    EXPECT_EQ(whole.message().role(), v1::ROLE_ASSISTANT);
    EXPECT_EQ(whole.seed(), seed);
  }
}

TEST_F(ServerChatTest, ChunksSayWhatTheContractSays) {
  const ChatAnswer answer = Chat(server_->chat(), PromptRequest("once", 400, 9));
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_FALSE(answer.chunks.empty());  // how many depends on how fast they are written
  EXPECT_EQ(answer.chunks.front().seed(), 9U);
  for (size_t i = 0; i < answer.chunks.size(); ++i) {
    const v1::ChatChunk& chunk = answer.chunks[i];
    const bool last = i + 1 == answer.chunks.size();
    EXPECT_EQ(chunk.id(), answer.chunks.front().id());
    EXPECT_EQ(chunk.created(), answer.chunks.front().created());
    EXPECT_EQ(chunk.model(), "synth");
    EXPECT_TRUE(IsValidUtf8(chunk.delta()));
    EXPECT_EQ(chunk.has_seed(), i == 0);
    EXPECT_EQ(chunk.has_usage(), last);
    EXPECT_EQ(chunk.finish_reason(),
              last ? v1::FINISH_REASON_LENGTH : v1::FINISH_REASON_UNSPECIFIED);
  }
  EXPECT_FALSE(answer.chunks.front().id().empty());
  const v1::Usage& usage = answer.chunks.back().usage();
  EXPECT_EQ(usage.prompt_tokens(), 5);  // <s> and four bytes
  EXPECT_EQ(usage.completion_tokens(), 400);
  EXPECT_EQ(usage.total_tokens(), 405);
  EXPECT_GT(usage.time_to_first_token_seconds(), 0);
  EXPECT_EQ(answer.token_ids().size(), 400U);
}

TEST_F(ServerChatTest, LogprobsBelongToTheTokensAndAreOrdered) {
  v1::ChatRequest request = PromptRequest("x", 20);
  request.set_logprobs(true);
  request.set_top_logprobs(5);
  const ChatAnswer answer = Chat(server_->chat(), request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  const std::vector<v1::PositionLogprobs> positions = answer.logprobs();
  const std::vector<int32_t> ids = answer.token_ids();
  ASSERT_EQ(positions.size(), ids.size());
  for (size_t i = 0; i < positions.size(); ++i) {
    EXPECT_EQ(positions[i].chosen().token_id(), ids[i]);
    EXPECT_LE(positions[i].chosen().logprob(), 0);
    ASSERT_EQ(positions[i].top_size(), 5);
    double sum = 0;
    for (int k = 0; k < 5; ++k) {
      sum += std::exp(positions[i].top(k).logprob());
      if (k == 0) continue;
      EXPECT_LE(positions[i].top(k).logprob(), positions[i].top(k - 1).logprob());
    }
    EXPECT_LE(sum, 1.0001);
    EXPECT_LE(positions[i].chosen().logprob(), positions[i].top(0).logprob() + 1e-6);
  }
  EXPECT_TRUE(Chat(server_->chat(), PromptRequest("x", 20)).logprobs().empty());
}

TEST_F(ServerChatTest, StopsAreHonoured) {
  const ChatAnswer free_run = Chat(server_->chat(), PromptRequest("stop", 60, 3));
  ASSERT_TRUE(free_run.status.ok());
  const std::vector<int32_t> ids = free_run.token_ids();
  v1::ChatRequest by_id = PromptRequest("stop", 60, 3);
  by_id.add_stop_token_ids(ids[20]);
  const ChatAnswer stopped = Chat(server_->chat(), by_id);
  ASSERT_TRUE(stopped.status.ok());
  EXPECT_EQ(stopped.chunks.back().finish_reason(), v1::FINISH_REASON_STOP);
  EXPECT_LE(stopped.chunks.back().usage().completion_tokens(), 21);

  // Tokens above the special ones are " t<n>", so any of them holds this string.
  v1::ChatRequest by_text = PromptRequest("stop", 400, 3);
  by_text.add_stop(" t2");
  const ChatAnswer cut = Chat(server_->chat(), by_text);
  ASSERT_TRUE(cut.status.ok());
  EXPECT_EQ(cut.chunks.back().finish_reason(), v1::FINISH_REASON_STOP);
  EXPECT_EQ(cut.chunks.back().stop_match(), " t2");
  EXPECT_EQ(cut.text().find(" t2"), std::string::npos);
}

TEST_F(ServerChatTest, SeedsDrawnByTheServerAreReportedAndRepeatable) {
  v1::ChatRequest request = PromptRequest("seed", 30);
  request.clear_seed();
  const v1::ChatCompletion first = Complete(request);
  const v1::ChatCompletion other = Complete(request);
  EXPECT_NE(first.seed(), other.seed());
  EXPECT_NE(first.id(), other.id());
  request.set_seed(first.seed());
  EXPECT_THAT(Complete(request).token_ids(), ElementsAreArray(first.token_ids()));
}

}  // namespace
}  // namespace memory3
