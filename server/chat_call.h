// One chat request on its way through the server: what the streaming and the unary call share.
//
//   gRPC handler ── Begin ──▶ work queue: Prepare (parse, translate, tokenize, Engine::Submit)
//   engine thread ─ on_ready ▶ dispatcher: Deliver (take events, start a write)
//   gRPC ── OnCancel ▶ Cancel, OnDone ▶ End (log, metrics; the last reference goes)
//
// Ownership: the call holds itself from Begin to End, because gRPC has only a plain pointer to it.
// Work queue, dispatcher and stream callback hold references of their own while they need it, so no
// order of the events above leaves anyone with a dead call. Exactly one caller wins the right to
// finish the RPC (the one that sets finished_).
#ifndef MEMORY3_SERVER_CHAT_CALL_H_
#define MEMORY3_SERVER_CHAT_CALL_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/mutex.h"
#include "engine/generation.h"
#include "memory3/v1/chat.pb.h"
#include "server/active_calls.h"
#include "server/dispatcher.h"
#include "server/front.h"
#include "server/reply_building.h"
#include "server/served_model.h"

namespace memory3 {

class ChatCall : public DispatchItem,
                 public AbortableCall,
                 public std::enable_shared_from_this<ChatCall> {
 public:
  ChatCall(const Front& front, std::string_view method, grpc::CallbackServerContext* context,
           const grpc::ByteBuffer& request);

  // Once, from the gRPC handler, on an object owned by a shared_ptr.
  void Begin();
  void Abort(const absl::Status& status) override;
  void Dispatch() override { Deliver(); }

 protected:
  // Takes what the stream has and passes it on. Any thread.
  virtual void Deliver() = 0;
  virtual void FinishRpc(const grpc::Status& status) = 0;

  // The client is gone, or gRPC gave the call up.
  void Cancel();
  // From OnDone: nothing of the call is used afterwards.
  void End();

  // How the answer ended, from its last event: an abort or a deadline shows up at the engine as a
  // plain cancellation. Also notes the numbers for the log.
  absl::Status Conclude(const GenerationEvent& last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  grpc::CallbackServerContext* context() const { return context_; }
  const Front& front() const { return front_; }

  Mutex mutex_;
  ReplyHeader header_;  // set before stream_
  std::shared_ptr<GenerationStream> stream_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;

 private:
  void Prepare();
  absl::Status Submit();
  void Fail(const absl::Status& status);

  const Front front_;
  const std::string_view method_;
  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer request_;
  const absl::Time arrival_;
  std::shared_ptr<ChatCall> self_;  // set by Begin, dropped by End

  absl::Status interruption_ ABSL_GUARDED_BY(mutex_);  // cancelled or aborted
  const ServedModel* model_ ABSL_GUARDED_BY(mutex_) = nullptr;
  RequestId engine_id_ ABSL_GUARDED_BY(mutex_) = 0;

  // For the log line.
  std::string user_ ABSL_GUARDED_BY(mutex_);
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
  std::optional<FinishReason> finish_ ABSL_GUARDED_BY(mutex_);
  GenerationEvent::Usage usage_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_CHAT_CALL_H_
