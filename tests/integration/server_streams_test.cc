// Many streams at once say what each says alone.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

constexpr int kStreams = 64;

v1::ChatRequest RandomRequest(std::mt19937& random) {
  const auto below = [&random](int end) { return static_cast<int>(random() % end); };
  std::string content;
  for (int i = 1 + below(80); i > 0; --i) content += static_cast<char>('a' + below(26));
  const int max_tokens = 1 + below(60);
  v1::ChatRequest request = below(2) == 0 ? PromptRequest(content, max_tokens, random())
                                          : MessageRequest(content, max_tokens, random());
  request.set_ignore_eos(below(2) == 0);
  request.set_temperature(below(3) == 0 ? 0.0f : 0.5f + 0.1f * below(10));
  request.set_top_k(below(40));
  if (below(3) == 0) request.set_repetition_penalty(1.3f);
  if (below(3) == 0) request.add_stop("e");
  if (below(2) == 0) {
    request.set_logprobs(true);
    request.set_top_logprobs(below(4));
  }
  return request;
}

// Everything of an answer that its request decides, to the bit.
std::string Essence(const ChatAnswer& answer) {
  v1::ChatChunk all;
  all.set_delta(answer.text());
  for (const v1::ChatChunk& chunk : answer.chunks) {
    all.mutable_token_ids()->MergeFrom(chunk.token_ids());
    all.mutable_logprobs()->MergeFrom(chunk.logprobs());
    all.set_finish_reason(chunk.finish_reason());
    if (chunk.has_stop_match()) all.set_stop_match(chunk.stop_match());
    if (chunk.has_usage()) {
      all.mutable_usage()->set_prompt_tokens(chunk.usage().prompt_tokens());
      all.mutable_usage()->set_completion_tokens(chunk.usage().completion_tokens());
    }
  }
  return all.SerializeAsString();
}

TEST(ServerStreamsTest, SixtyFourAtOnceSayWhatEachSaysAlone) {
  ServerOptions options = TestOptions(QuickModel());
  options.threads = 2;
  options.max_sequences = 24;  // some wait
  TestServer server(options);
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::vector<v1::ChatRequest> requests;
  std::vector<std::string> alone;
  for (int i = 0; i < kStreams; ++i) {
    requests.push_back(RandomRequest(random));
    const ChatAnswer answer = Chat(server.chat(), requests.back());
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    alone.push_back(Essence(answer));
  }
  for (int round = 0; round < 3; ++round) {
    std::vector<ChatAnswer> together(kStreams);
    std::vector<std::thread> clients;
    for (int i = 0; i < kStreams; ++i) {
      clients.emplace_back([&, i] { together[i] = Chat(server.chat(), requests[i]); });
    }
    for (std::thread& client : clients) client.join();
    for (int i = 0; i < kStreams; ++i) {
      EXPECT_TRUE(together[i].status.ok()) << together[i].status.error_message();
      EXPECT_EQ(Essence(together[i]), alone[i]) << "stream " << i;
    }
  }
  EXPECT_TRUE(server.BecomesIdle());
}

}  // namespace
}  // namespace memory3
