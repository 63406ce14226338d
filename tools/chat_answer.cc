#include "tools/chat_answer.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace memory3 {
namespace {

const char* NameOf(v1::FinishReason reason) {
  switch (reason) {
    case v1::FINISH_REASON_STOP:
      return "stop";
    case v1::FINISH_REASON_LENGTH:
      return "length";
    default:
      return "unfinished";
  }
}

std::string Quoted(const v1::TokenLogprob& token) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(token.token()), "\"");
}

void Take(v1::ChatChunk&& chunk, absl::Duration elapsed, Answer* answer) {
  if (chunk.token_ids_size() > 0) {
    if (answer->time_to_first_token == absl::ZeroDuration()) answer->time_to_first_token = elapsed;
    answer->time_to_last_token = elapsed;
  }
  answer->text += chunk.delta();
  for (v1::PositionLogprobs& position : *chunk.mutable_logprobs()) {
    answer->logprobs.push_back(std::move(position));
  }
  for (v1::MemoryChunk& memories : *chunk.mutable_memory_chunks()) {
    answer->memory_chunks.push_back(std::move(memories));
  }
  if (chunk.finish_reason() != v1::FINISH_REASON_UNSPECIFIED) {
    answer->finish_reason = chunk.finish_reason();
  }
  if (chunk.has_usage()) answer->usage = chunk.usage();
}

}  // namespace

Answer StreamAnswer(v1::ChatService::Stub& stub, const v1::ChatRequest& request,
                    absl::Duration timeout, Interrupts& interrupts,
                    const std::function<void(absl::string_view)>& print) {
  Answer answer;
  grpc::ClientContext context;
  if (timeout != absl::InfiniteDuration()) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  }
  std::atomic<bool> interrupted = false;
  const Interrupts::Scope scope(interrupts, [&] {
    interrupted = true;
    context.TryCancel();
  });
  const absl::Time start = absl::Now();
  const std::unique_ptr<grpc::ClientReader<v1::ChatChunk>> reader = stub.Chat(&context, request);
  v1::ChatChunk chunk;
  while (reader->Read(&chunk)) {
    if (!chunk.delta().empty()) print(chunk.delta());
    Take(std::move(chunk), absl::Now() - start, &answer);
  }
  answer.status = reader->Finish();
  answer.interrupted = interrupted && !answer.status.ok();
  return answer;
}

std::string DescribeStats(const Answer& answer) {
  const v1::Usage& usage = answer.usage;
  std::string text = absl::StrFormat(
      "[%d + %d tokens (%s), first after %.3g ms (%.3g ms queued)", usage.prompt_tokens(),
      usage.completion_tokens(), NameOf(answer.finish_reason),
      absl::ToDoubleMilliseconds(answer.time_to_first_token), usage.queued_seconds() * 1e3);
  const absl::Duration decode = answer.time_to_last_token - answer.time_to_first_token;
  if (usage.completion_tokens() > 1 && decode > absl::ZeroDuration()) {
    absl::StrAppendFormat(&text, ", then %.1f tokens/s",
                          (usage.completion_tokens() - 1) / absl::ToDoubleSeconds(decode));
  }
  if (usage.has_memory()) {
    const v1::MemoryUsage& memory = usage.memory();
    absl::StrAppendFormat(&text, "; %d memories in %d chunks, %d late, %d degraded, %.3g ms waited",
                          memory.memories(), memory.chunks(), memory.late_chunks(),
                          memory.degraded_chunks(), memory.wait_seconds() * 1e3);
  }
  return text + "]";
}

std::string DescribeLogprobs(const std::vector<v1::PositionLogprobs>& logprobs) {
  std::string text;
  for (const v1::PositionLogprobs& position : logprobs) {
    absl::StrAppendFormat(&text, "%9.4f  %s", position.chosen().logprob(),
                          Quoted(position.chosen()));
    const char* separator = "   of: ";
    for (const v1::TokenLogprob& token : position.top()) {
      absl::StrAppendFormat(&text, "%s%s %.4f", separator, Quoted(token), token.logprob());
      separator = ", ";
    }
    text += "\n";
  }
  return text;
}

}  // namespace memory3
