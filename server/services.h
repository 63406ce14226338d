// The gRPC services. Their methods take raw bytes, because a generated parser neither names the
// field that is not UTF-8 nor refuses unknown ones (server/request_parsing.h).
#ifndef MEMORY3_SERVER_SERVICES_H_
#define MEMORY3_SERVER_SERVICES_H_

#include <grpcpp/grpcpp.h>

#include "memory3/v1/chat.grpc.pb.h"
#include "memory3/v1/model.grpc.pb.h"
#include "memory3/v1/tokenizer.grpc.pb.h"
#include "server/front.h"

namespace memory3 {

class ChatServiceImpl final
    : public v1::ChatService::WithRawCallbackMethod_Chat<
          v1::ChatService::WithRawCallbackMethod_Complete<v1::ChatService::Service>> {
 public:
  explicit ChatServiceImpl(const Front& front) : front_(front) {}
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Chat(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* Complete(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;

 private:
  const Front front_;
};

class ModelServiceImpl final
    : public v1::ModelService::WithRawCallbackMethod_GetModel<
          v1::ModelService::WithRawCallbackMethod_ListModels<v1::ModelService::Service>> {
 public:
  explicit ModelServiceImpl(const Front& front) : front_(front) {}
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;

 private:
  const Front front_;
};

class TokenizerServiceImpl final
    : public v1::TokenizerService::WithRawCallbackMethod_Tokenize<
          v1::TokenizerService::WithRawCallbackMethod_Detokenize<v1::TokenizerService::Service>> {
 public:
  explicit TokenizerServiceImpl(const Front& front) : front_(front) {}
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Detokenize(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;

 private:
  const Front front_;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_SERVICES_H_
