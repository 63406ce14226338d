// A gRPC client of the chat service for tests: requests, and answers read whole.
#ifndef MEMORY3_TESTS_INTEGRATION_CHAT_CLIENT_H_
#define MEMORY3_TESTS_INTEGRATION_CHAT_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "memory3/v1/chat.grpc.pb.h"

namespace memory3 {

// Goes on to max_tokens, whatever the model says.
v1::ChatRequest PromptRequest(const std::string& prompt, int max_tokens, uint64_t seed = 1);
v1::ChatRequest MessageRequest(const std::string& content, int max_tokens, uint64_t seed = 1);

struct ChatAnswer {
  grpc::Status status;
  std::vector<v1::ChatChunk> chunks;

  // Of all chunks together.
  std::string text() const;
  std::vector<int32_t> token_ids() const;
  std::vector<v1::PositionLogprobs> logprobs() const;
};

// One stream in progress. Cancelled, if it has not ended, when the object goes.
class ChatStream {
 public:
  ChatStream(v1::ChatService::Stub& stub, const v1::ChatRequest& request,
             absl::Duration timeout = absl::InfiniteDuration());
  ~ChatStream();

  std::optional<v1::ChatChunk> Read();
  void Cancel() { context_.TryCancel(); }
  // Reads on to the end.
  ChatAnswer ReadAll();

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::ChatChunk>> reader_;
  bool finished_ = false;
};

ChatAnswer Chat(v1::ChatService::Stub& stub, const v1::ChatRequest& request);

// Of the details of an error; nullopt when there is none of that kind.
std::optional<google::rpc::BadRequest> BadRequestOf(const grpc::Status& status);
std::optional<google::rpc::RetryInfo> RetryInfoOf(const grpc::Status& status);

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_CHAT_CLIENT_H_
