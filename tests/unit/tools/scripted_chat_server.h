// A gRPC server in the test's process that answers by script: the other end of the chat client.
#ifndef MEMORY3_TESTS_UNIT_TOOLS_SCRIPTED_CHAT_SERVER_H_
#define MEMORY3_TESTS_UNIT_TOOLS_SCRIPTED_CHAT_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/mutex.h"
#include "memory3/v1/bank.grpc.pb.h"
#include "memory3/v1/chat.grpc.pb.h"
#include "memory3/v1/model.grpc.pb.h"

namespace memory3 {

// Streams the words of `answer`, a chunk with one token each; then `status`, or, when `hang` is
// set, nothing more until the client cancels.
class ScriptedChatService : public v1::ChatService::Service {
 public:
  std::vector<std::string> answer;
  std::vector<v1::MemoryChunk> memory_chunks;  // in the first chunk
  grpc::Status status;
  std::atomic<bool> hang = false;

  grpc::Status Chat(grpc::ServerContext* context, const v1::ChatRequest* request,
                    grpc::ServerWriter<v1::ChatChunk>* writer) override {
    {
      MutexLock lock(mutex_);
      last_request_ = *request;
    }
    for (size_t i = 0; i < answer.size(); ++i) {
      v1::ChatChunk chunk;
      chunk.set_delta(answer[i]);
      chunk.add_token_ids(static_cast<int32_t>(i));
      if (i == 0) chunk.mutable_memory_chunks()->Add(memory_chunks.begin(), memory_chunks.end());
      if (i + 1 == answer.size() && status.ok() && !hang) {
        chunk.set_finish_reason(v1::FINISH_REASON_STOP);
        chunk.mutable_usage()->set_completion_tokens(static_cast<int32_t>(answer.size()));
      }
      writer->Write(chunk);
    }
    while (hang && !context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return status;
  }

  v1::ChatRequest last_request() {
    MutexLock lock(mutex_);
    return last_request_;
  }

 private:
  Mutex mutex_;
  v1::ChatRequest last_request_;
};

class ScriptedModelService : public v1::ModelService::Service {
 public:
  v1::Model model;

  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest*,
                        v1::Model* response) override {
    *response = model;
    return grpc::Status::OK;
  }
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    *response->add_models() = model;
    return grpc::Status::OK;
  }
};

// Knows the references it is given, by id, and counts how often it is asked.
class ScriptedBankService : public v1::BankService::Service {
 public:
  std::map<uint64_t, v1::Reference> references;
  std::atomic<int> calls = 0;

  grpc::Status GetReference(grpc::ServerContext*, const v1::GetReferenceRequest* request,
                            v1::Reference* response) override {
    ++calls;
    const auto found = references.find(request->memory_id());
    if (found == references.end()) return {grpc::StatusCode::NOT_FOUND, "deleted"};
    *response = found->second;
    return grpc::Status::OK;
  }
};

// Listens on a free loopback port for as long as it lives.
class ScriptedChatServer {
 public:
  ScriptedChatServer() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service);
    builder.RegisterService(&models);
    builder.RegisterService(&bank);
    server_ = builder.BuildAndStart();
  }
  ~ScriptedChatServer() { server_->Shutdown(); }

  std::string target() const { return absl::StrCat("127.0.0.1:", port_); }
  void SetServing(bool serving) { server_->GetHealthCheckService()->SetServingStatus(serving); }

  ScriptedChatService service;
  ScriptedModelService models;
  ScriptedBankService bank;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_TOOLS_SCRIPTED_CHAT_SERVER_H_
