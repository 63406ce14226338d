// The two gRPC faces of a ChatCall. Created with std::make_shared and started with Begin.
#ifndef MEMORY3_SERVER_CHAT_REACTORS_H_
#define MEMORY3_SERVER_CHAT_REACTORS_H_

#include <grpcpp/grpcpp.h>

#include "memory3/v1/chat.pb.h"
#include "server/chat_call.h"

namespace memory3 {

// ChatService.Chat. At most one write is outstanding; what arrives meanwhile waits in the engine's
// bounded stream buffer and goes out together in the next chunk. A reader that lets that buffer
// overflow is cut off with RESOURCE_EXHAUSTED.
class ChatStreamReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public ChatCall {
 public:
  ChatStreamReactor(const Front& front, grpc::CallbackServerContext* context,
                    const grpc::ByteBuffer& request)
      : ChatCall(front, "Chat", context, request) {}

  void OnWriteDone(bool ok) override;
  void OnCancel() override { Cancel(); }
  void OnDone() override { End(); }

 private:
  void Deliver() override;
  void FinishRpc(const grpc::Status& status) override { Finish(status); }

  // Moves waiting events into chunk_. False when there were none.
  bool TakeEvents(std::optional<absl::Status>* conclusion) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CutOffIfTooSlow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool cut_off_ ABSL_GUARDED_BY(mutex_) = false;
  bool first_ ABSL_GUARDED_BY(mutex_) = true;
  // Belong to whoever set writing_ or finished_, until the write is done.
  v1::ChatChunk chunk_;
  grpc::ByteBuffer bytes_;
};

// ChatService.Complete: gathers the events into one reply.
class CompleteReactor final : public grpc::ServerUnaryReactor, public ChatCall {
 public:
  // `response` is gRPC's and lives as long as the call.
  CompleteReactor(const Front& front, grpc::CallbackServerContext* context,
                  const grpc::ByteBuffer& request, grpc::ByteBuffer* response)
      : ChatCall(front, "Complete", context, request), response_(response) {}

  void OnCancel() override { Cancel(); }
  void OnDone() override { End(); }

 private:
  void Deliver() override;
  void FinishRpc(const grpc::Status& status) override { Finish(status); }

  grpc::ByteBuffer* const response_;
  v1::ChatCompletion completion_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_CHAT_REACTORS_H_
