#include "tools/evaluate/service_client.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "engine/base/mutex.h"
#include "engine/base/status_macros.h"
#include "tools/rpc_client.h"

namespace memory3 {
namespace {

v1::Role RoleOf(const ChatMessage& message) {
  return message.role == "system" ? v1::ROLE_SYSTEM : v1::ROLE_USER;
}

v1::ChatRequest ToRequest(const ServiceQuestion& question, const ServiceOptions& options) {
  v1::ChatRequest request;
  for (const ChatMessage& message : question.prompt.messages) {
    v1::Message* out = request.add_messages();
    out->set_role(RoleOf(message));
    out->set_content(message.content);
  }
  if (question.prompt.messages.empty()) request.set_prompt(question.prompt.raw);
  request.set_max_tokens(options.max_tokens);
  request.set_temperature(0);
  if (options.one_line) request.add_stop("\n");
  request.set_use_memory(question.use_memory);
  if (question.use_memory) {
    request.set_memory_policy(v1::MEMORY_POLICY_STRICT);
    request.set_memory_details(true);
  }
  return request;
}

// What the first token of the answer was predicted from.
std::vector<ServiceReference> SeenByPromptEnd(const v1::ChatCompletion& completion) {
  std::vector<ServiceReference> seen;
  for (const v1::MemoryChunk& chunk : completion.memory_chunks()) {
    if (chunk.first_token() >= completion.usage().prompt_tokens()) break;
    seen.clear();
    for (const v1::UsedMemory& memory : chunk.memories()) {
      seen.push_back({chunk.bank_epoch(), memory.memory_id()});
    }
  }
  return seen;
}

absl::Status ToAbsl(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), Describe(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServiceClient>> ServiceClient::Connect(
    const std::string& target, absl::Duration timeout, const ServiceOptions& options) {
  const std::shared_ptr<grpc::Channel> channel = ConnectTo(target);
  M3_RETURN_IF_ERROR(WaitUntilServing(channel, timeout));
  return std::unique_ptr<ServiceClient>(new ServiceClient(channel, options));
}

ServiceClient::ServiceClient(const std::shared_ptr<grpc::Channel>& channel,
                             const ServiceOptions& options)
    : options_(options),
      chat_(v1::ChatService::NewStub(channel)),
      bank_(v1::BankService::NewStub(channel)) {}

absl::StatusOr<std::vector<ServiceAnswer>> ServiceClient::Ask(
    absl::Span<const ServiceQuestion> questions, const std::function<void(int)>& done) {
  std::vector<ServiceAnswer> answers(questions.size());
  std::atomic<size_t> next = 0;
  std::atomic<int> through = 0;
  Mutex mutex;
  absl::Status first_error;  // guarded by mutex
  const auto work = [&] {
    for (size_t i = next++; i < questions.size(); i = next++) {
      absl::StatusOr<ServiceAnswer> answer = AskOne(questions[i]);
      if (answer.ok()) {
        answers[i] = *std::move(answer);
        done(++through);
        continue;
      }
      MutexLock lock(mutex);
      first_error.Update(answer.status());
      next = questions.size();
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < options_.streams; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  M3_RETURN_IF_ERROR(first_error);
  return answers;
}

absl::StatusOr<ServiceAnswer> ServiceClient::AskOne(const ServiceQuestion& question) {
  grpc::ClientContext context;
  v1::ChatCompletion completion;
  const grpc::Status status = chat_->Complete(&context, ToRequest(question, options_), &completion);
  // The request is well-formed: what the server refuses is its length.
  if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT && !question.use_memory) {
    return ServiceAnswer{};
  }
  if (!status.ok()) return ToAbsl(status);
  return ServiceAnswer{completion.message().content(), SeenByPromptEnd(completion)};
}

absl::StatusOr<const ServiceClient::ReferenceText*> ServiceClient::Text(
    const ServiceReference& reference) {
  std::unique_ptr<ReferenceText>& text = texts_[{reference.bank_epoch, reference.memory_id}];
  if (text == nullptr) {
    grpc::ClientContext context;
    v1::GetReferenceRequest request;
    request.set_bank_epoch(reference.bank_epoch);
    request.set_memory_id(reference.memory_id);
    v1::Reference found;
    const grpc::Status status = bank_->GetReference(&context, request, &found);
    if (!status.ok()) return ToAbsl(status);
    text = std::make_unique<ReferenceText>(ReferenceText{found.text(), found.source_id()});
  }
  return text.get();
}

}  // namespace memory3
