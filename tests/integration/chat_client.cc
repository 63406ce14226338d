#include "tests/integration/chat_client.h"

#include "absl/time/clock.h"
#include "google/rpc/status.pb.h"

namespace memory3 {
namespace {

template <typename Detail>
std::optional<Detail> DetailOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return std::nullopt;
  for (const google::protobuf::Any& any : details.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

}  // namespace

v1::ChatRequest PromptRequest(const std::string& prompt, int max_tokens, uint64_t seed) {
  v1::ChatRequest request;
  request.set_prompt(prompt);
  request.set_max_tokens(max_tokens);
  request.set_seed(seed);
  request.set_ignore_eos(true);
  return request;
}

v1::ChatRequest MessageRequest(const std::string& content, int max_tokens, uint64_t seed) {
  v1::ChatRequest request = PromptRequest("", max_tokens, seed);
  request.clear_prompt();
  v1::Message* message = request.add_messages();
  message->set_role(v1::ROLE_USER);
  message->set_content(content);
  return request;
}

std::string ChatAnswer::text() const {
  std::string text;
  for (const v1::ChatChunk& chunk : chunks) text += chunk.delta();
  return text;
}

std::vector<int32_t> ChatAnswer::token_ids() const {
  std::vector<int32_t> ids;
  for (const v1::ChatChunk& chunk : chunks) {
    ids.insert(ids.end(), chunk.token_ids().begin(), chunk.token_ids().end());
  }
  return ids;
}

std::vector<v1::PositionLogprobs> ChatAnswer::logprobs() const {
  std::vector<v1::PositionLogprobs> all;
  for (const v1::ChatChunk& chunk : chunks) {
    all.insert(all.end(), chunk.logprobs().begin(), chunk.logprobs().end());
  }
  return all;
}

ChatStream::ChatStream(v1::ChatService::Stub& stub, const v1::ChatRequest& request,
                       absl::Duration timeout) {
  if (timeout != absl::InfiniteDuration()) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  }
  reader_ = stub.Chat(&context_, request);
}

ChatStream::~ChatStream() {
  if (finished_) return;
  Cancel();
  ReadAll();
}

std::optional<v1::ChatChunk> ChatStream::Read() {
  v1::ChatChunk chunk;
  if (!reader_->Read(&chunk)) return std::nullopt;
  return chunk;
}

ChatAnswer ChatStream::ReadAll() {
  ChatAnswer answer;
  while (std::optional<v1::ChatChunk> chunk = Read()) answer.chunks.push_back(*std::move(chunk));
  answer.status = reader_->Finish();
  finished_ = true;
  return answer;
}

ChatAnswer Chat(v1::ChatService::Stub& stub, const v1::ChatRequest& request) {
  return ChatStream(stub, request).ReadAll();
}

std::optional<google::rpc::BadRequest> BadRequestOf(const grpc::Status& status) {
  return DetailOf<google::rpc::BadRequest>(status);
}

std::optional<google::rpc::RetryInfo> RetryInfoOf(const grpc::Status& status) {
  return DetailOf<google::rpc::RetryInfo>(status);
}

}  // namespace memory3
