#include "server/chat_reactors.h"

#include <grpc/grpc.h>

#include <cstddef>
#include <optional>
#include <utility>

#include "common/request_parsing.h"
#include "common/status_details.h"

namespace memory3 {
namespace {

// Events that waited behind a slow write leave in chunks of about this size.
constexpr size_t kMaxChunkBytes = size_t{32} << 10;

}  // namespace

bool ChatStreamReactor::TakeEvents(std::optional<absl::Status>* conclusion) {
  chunk_.Clear();
  bool any = false;
  while (!conclusion->has_value() && chunk_.ByteSizeLong() < kMaxChunkBytes) {
    std::optional<GenerationEvent> event = stream_->TryNext();
    if (!event.has_value()) break;
    any = true;
    if (event->last()) *conclusion = Conclude(*event);
    AppendEvent(*std::move(event), header_, &chunk_);
  }
  // Too slow although no write of it is blocked just now.
  if (conclusion->has_value() && absl::IsResourceExhausted(**conclusion) &&
      !std::exchange(cut_off_, true)) {
    front().metrics->OnStreamCutOff();
  }
  if (any) SetHeader(header_, std::exchange(first_, false), &chunk_);
  return any;
}

// A blocked write can only be ended together with its call. This runs on the dispatcher's thread,
// where gRPC runs no reactions, and the outstanding write keeps the call alive.
void ChatStreamReactor::CutOffIfTooSlow() {
  const std::optional<absl::Status> status = stream_->final_status();
  if (!status.has_value() || !absl::IsResourceExhausted(*status) || cut_off_) return;
  cut_off_ = true;
  front().metrics->OnStreamCutOff();
  grpc_call_cancel_with_status(context()->c_call(), GRPC_STATUS_RESOURCE_EXHAUSTED,
                               "the reader is too slow for the stream", nullptr);
}

void ChatStreamReactor::Deliver() {
  std::optional<absl::Status> conclusion;
  {
    MutexLock lock(mutex_);
    if (stream_ == nullptr || finished_) return;
    if (writing_) return CutOffIfTooSlow();
    if (!TakeEvents(&conclusion)) return;
    finished_ = conclusion.has_value();
    writing_ = !finished_;
  }
  if (conclusion.has_value() && !conclusion->ok()) return Finish(ToGrpcStatus(*conclusion));
  bytes_ = SerializeReply(chunk_);
  if (conclusion.has_value()) {
    StartWriteAndFinish(&bytes_, grpc::WriteOptions(), grpc::Status::OK);
  } else {
    StartWrite(&bytes_);
  }
}

void ChatStreamReactor::OnWriteDone(bool ok) {
  {
    MutexLock lock(mutex_);
    writing_ = false;
  }
  if (!ok) Cancel();
  Deliver();
}

void CompleteReactor::Deliver() {
  std::optional<absl::Status> conclusion;
  {
    MutexLock lock(mutex_);
    if (stream_ == nullptr || finished_) return;
    while (std::optional<GenerationEvent> event = stream_->TryNext()) {
      if (event->last()) conclusion = Conclude(*event);
      AppendEvent(*std::move(event), header_, &completion_);
    }
    if (!conclusion.has_value()) return;
    finished_ = true;
    if (conclusion->ok()) {
      SetHeader(header_, &completion_);
      *response_ = SerializeReply(completion_);
    }
  }
  Finish(ToGrpcStatus(*conclusion));
}

}  // namespace memory3
