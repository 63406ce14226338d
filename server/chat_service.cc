#include <memory>

#include "server/chat_reactors.h"
#include "server/services.h"

namespace memory3 {

grpc::ServerWriteReactor<grpc::ByteBuffer>* ChatServiceImpl::Chat(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  auto reactor = std::make_shared<ChatStreamReactor>(front_, context, *request);
  reactor->Begin();
  return reactor.get();
}

grpc::ServerUnaryReactor* ChatServiceImpl::Complete(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) {
  auto reactor = std::make_shared<CompleteReactor>(front_, context, *request, response);
  reactor->Begin();
  return reactor.get();
}

}  // namespace memory3
