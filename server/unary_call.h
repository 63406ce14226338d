// Answers a unary call from a function of the parsed request, on a work queue.
#ifndef MEMORY3_SERVER_UNARY_CALL_H_
#define MEMORY3_SERVER_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/request_parsing.h"
#include "common/status_details.h"
#include "common/work_queue.h"
#include "server/front.h"

namespace memory3 {

// Which calls are taken: ServingState::ModelForLookup or ModelForGeneration.
using FindModel = absl::StatusOr<const ServedModel*> (ServingState::*)() const;

// `handler`: absl::StatusOr<Reply>(const Request&, const ServedModel&); runs once, on a thread of
// the queue, or not at all when the server is loading or too busy.
template <typename Request, typename Handler>
grpc::ServerUnaryReactor* AnswerUnaryOn(WorkQueue& queue, const ServingState* state, FindModel find,
                                        grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer& bytes, grpc::ByteBuffer* response,
                                        Handler handler) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  // The reactor and the response live until Finish, which only the task calls.
  auto task = [reactor, bytes, response, state, find, handler = std::move(handler)] {
    const absl::StatusOr<const ServedModel*> model = (state->*find)();
    if (!model.ok()) return reactor->Finish(ToGrpcStatus(model.status()));
    Request request;
    if (const absl::Status parsed = ParseRequest(bytes, &request); !parsed.ok()) {
      return reactor->Finish(ToGrpcStatus(parsed));
    }
    const auto reply = handler(request, **model);
    if (reply.ok()) *response = SerializeReply(*reply);
    reactor->Finish(ToGrpcStatus(reply.status()));
  };
  if (!queue.TryPush(std::move(task))) {
    reactor->Finish(ToGrpcStatus(WithRetryDelay(
        absl::ResourceExhaustedError("too many requests are waiting to be read"), kRetryWhenFull)));
  }
  return reactor;
}

// For handlers that neither wait nor change anything.
template <typename Request, typename Handler>
grpc::ServerUnaryReactor* AnswerUnary(const Front& front, grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer& bytes, grpc::ByteBuffer* response,
                                      Handler handler) {
  return AnswerUnaryOn<Request>(*front.work, front.state, &ServingState::ModelForLookup, context,
                                bytes, response, std::move(handler));
}

}  // namespace memory3

#endif  // MEMORY3_SERVER_UNARY_CALL_H_
