// Answers a unary call from a function of the parsed request, on the work queue.
#ifndef MEMORY3_SERVER_UNARY_CALL_H_
#define MEMORY3_SERVER_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/request_parsing.h"
#include "common/status_details.h"
#include "server/front.h"

namespace memory3 {

// `handler`: absl::StatusOr<Reply>(const Request&, const ServedModel&); runs once, on a thread of
// the work queue, or not at all when the server is loading or too busy.
template <typename Request, typename Handler>
grpc::ServerUnaryReactor* AnswerUnary(const Front& front, grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer& bytes, grpc::ByteBuffer* response,
                                      Handler handler) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const ServingState* state = front.state;
  // The reactor and the response live until Finish, which only the task calls.
  auto task = [reactor, bytes, response, state, handler = std::move(handler)] {
    const absl::StatusOr<const ServedModel*> model = state->ModelForLookup();
    if (!model.ok()) return reactor->Finish(ToGrpcStatus(model.status()));
    Request request;
    if (const absl::Status parsed = ParseRequest(bytes, &request); !parsed.ok()) {
      return reactor->Finish(ToGrpcStatus(parsed));
    }
    const auto reply = handler(request, **model);
    if (reply.ok()) *response = SerializeReply(*reply);
    reactor->Finish(ToGrpcStatus(reply.status()));
  };
  if (!front.work->TryPush(std::move(task))) {
    reactor->Finish(ToGrpcStatus(WithRetryDelay(
        absl::ResourceExhaustedError("too many requests are waiting to be read"), kRetryWhenFull)));
  }
  return reactor;
}

}  // namespace memory3

#endif  // MEMORY3_SERVER_UNARY_CALL_H_
