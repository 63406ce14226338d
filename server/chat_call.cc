#include "server/chat_call.h"

#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "common/request_parsing.h"
#include "common/status_details.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "server/request_translation.h"

namespace memory3 {
namespace {

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return absl::InfiniteFuture();
  return absl::FromChrono(deadline);
}

// Whether a cancellation that comes now is the client's deadline. Its clock runs out before ours:
// the request was under way for a while, and gRPC rounds the timeout that it sends up by as much as
// one per cent.
bool IsAtDeadline(absl::Time arrival, absl::Time deadline) {
  constexpr absl::Duration kTransit = absl::Milliseconds(10);
  if (deadline == absl::InfiniteFuture()) return false;
  return absl::Now() + kTransit + (deadline - arrival) / 100 >= deadline;
}

absl::Status TooBusy(std::string_view what) {
  return WithRetryDelay(absl::ResourceExhaustedError(AbslView(what)), kRetryWhenFull);
}

}  // namespace

ChatCall::ChatCall(const Front& front, std::string_view method,
                   grpc::CallbackServerContext* context, const grpc::ByteBuffer& request)
    : front_(front), method_(method), context_(context), request_(request), arrival_(absl::Now()) {
  header_.id = front_.random->RequestId();
  header_.created_seconds = absl::ToUnixSeconds(arrival_);
}

void ChatCall::Begin() {
  self_ = shared_from_this();
  if (!front_.calls->TryAdd(self_)) {
    Fail(TooBusy("too many calls in progress (--max_active_calls)"));
  } else if (!front_.work->TryPush([self = self_] { self->Prepare(); })) {
    Fail(TooBusy("too many requests are waiting to be read"));
  }
}

void ChatCall::Prepare() {
  if (const absl::Status status = Submit(); !status.ok()) return Fail(status);
  std::shared_ptr<GenerationStream> stream;
  {
    MutexLock lock(mutex_);
    stream = stream_;
  }
  stream->SetOnReady([self = shared_from_this()] { self->front_.dispatcher->Schedule(self); });
}

absl::Status ChatCall::Submit() {
  M3_ASSIGN_OR_RETURN(const ServedModel* model, front_.state->ModelForGeneration());
  {
    MutexLock lock(mutex_);
    if (!interruption_.ok()) return interruption_;
  }
  v1::ChatRequest request;
  M3_RETURN_IF_ERROR(ParseRequest(request_, &request));
  request_.Clear();
  M3_ASSIGN_OR_RETURN(GenerationRequest generation,
                      TranslateRequest(request, model->context, front_.random->Seed()));
  generation.deadline = DeadlineOf(*context_);
  header_.model = model->context.model_names.front();
  header_.seed = generation.sampling.seed;
  header_.logprobs = request.logprobs();

  // Under the lock, so that a cancellation finds the request either not submitted or cancellable.
  MutexLock lock(mutex_);
  user_ = request.user();
  usage_.prompt_tokens = static_cast<int>(generation.prompt.size());
  if (!interruption_.ok()) return interruption_;
  absl::StatusOr<Generation> submitted = model->engine->Submit(std::move(generation));
  if (absl::IsResourceExhausted(submitted.status())) {
    return WithRetryDelay(submitted.status(), kRetryWhenFull);
  }
  if (absl::IsUnavailable(submitted.status())) {
    return WithRetryDelay(submitted.status(), kRetryWhenNotServing);
  }
  M3_RETURN_IF_ERROR(submitted.status());
  model_ = model;
  engine_id_ = submitted->id;
  stream_ = std::move(submitted->stream);
  return absl::OkStatus();
}

void ChatCall::Cancel() {
  Abort(IsAtDeadline(arrival_, DeadlineOf(*context_))
            ? absl::DeadlineExceededError("the call's deadline passed")
            : absl::CancelledError("the client cancelled the call"));
}

void ChatCall::Abort(const absl::Status& status) {
  MutexLock lock(mutex_);
  if (finished_ || !interruption_.ok()) return;
  interruption_ = status;
  if (stream_ != nullptr) model_->engine->Cancel(engine_id_);
}

absl::Status ChatCall::Conclude(const GenerationEvent& last) {
  if (last.usage.has_value()) usage_ = *last.usage;
  finish_ = last.finish;
  outcome_ = last.status;
  if (absl::IsCancelled(last.status) && !interruption_.ok()) outcome_ = interruption_;
  if (absl::IsUnavailable(outcome_)) outcome_ = WithRetryDelay(outcome_, kRetryWhenNotServing);
  return outcome_;
}

void ChatCall::Fail(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    finished_ = true;
    outcome_ = status;
  }
  FinishRpc(ToGrpcStatus(status));
}

void ChatCall::End() {
  std::shared_ptr<GenerationStream> stream;
  {
    MutexLock lock(mutex_);
    stream = stream_;
    const absl::Duration total = absl::Now() - arrival_;
    front_.metrics->OnRequest(method_, outcome_.code(), total);
    front_.log->Info("request", {{"id", header_.id},
                                 {"method", method_},
                                 {"user", user_},
                                 {"code", CodeName(outcome_.code())},
                                 {"error", outcome_.message()},
                                 {"finish", !finish_.has_value()              ? ""
                                            : *finish_ == FinishReason::kStop ? "stop"
                                                                              : "length"},
                                 {"prompt_tokens", usage_.prompt_tokens},
                                 {"completion_tokens", usage_.completion_tokens},
                                 {"queued_s", absl::ToDoubleSeconds(usage_.queued)},
                                 {"ttft_s", absl::ToDoubleSeconds(usage_.time_to_first_token)},
                                 {"total_s", absl::ToDoubleSeconds(total)}});
  }
  // Breaks the circle call -> stream -> callback -> call.
  if (stream != nullptr) stream->SetOnReady(nullptr);
  front_.calls->Remove(this);
  self_.reset();  // `this` may be gone
}

}  // namespace memory3
