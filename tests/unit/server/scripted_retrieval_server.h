// A retrieval sidecar that answers by script, on a Unix socket of its own: the other end of
// RetrievalClient.
#ifndef MEMORY3_TESTS_UNIT_SERVER_SCRIPTED_RETRIEVAL_SERVER_H_
#define MEMORY3_TESTS_UNIT_SERVER_SCRIPTED_RETRIEVAL_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "engine/base/check.h"
#include "memory3/v1/retrieval.grpc.pb.h"

namespace memory3 {

// Query "7" names memory 7, and then as many as asked for.
class ScriptedRetrievalService : public v1::RetrievalService::Service {
 public:
  std::atomic<int> fail_calls = 0;  // the next ones end with INTERNAL
  std::atomic<bool> hang = false;   // until the client gives up
  std::atomic<int> calls = 0;
  std::atomic<int> refreshes = 0;

  grpc::Status Retrieve(grpc::ServerContext* context, const v1::RetrieveRequest* request,
                        v1::RetrieveResponse* response) override {
    ++calls;
    while (hang && !context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    if (fail_calls > 0 && fail_calls-- > 0) return {grpc::StatusCode::INTERNAL, "by script"};
    response->set_bank_epoch(4);
    for (const std::string& query : request->queries()) {
      v1::RetrieveResult* result = response->add_results();
      for (int i = 0; i < request->limit(); ++i) {
        v1::ScoredMemory* memory = result->add_memories();
        memory->set_memory_id(std::stoull(query) + i);
        memory->set_score(1.0f / static_cast<float>(i + 1));
      }
    }
    return grpc::Status::OK;
  }
  grpc::Status Refresh(grpc::ServerContext*, const v1::RefreshRequest*,
                       v1::RetrievalInfo*) override {
    ++refreshes;
    return grpc::Status::OK;
  }
};

// Can be stopped and started again at the same address.
class ScriptedRetrievalServer {
 public:
  explicit ScriptedRetrievalServer(std::string address) : address_(std::move(address)) {}
  ~ScriptedRetrievalServer() { Stop(); }

  void Start() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
    M3_CHECK(server_ != nullptr);
  }
  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }

  const std::string& address() const { return address_; }
  ScriptedRetrievalService service;

 private:
  const std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_SERVER_SCRIPTED_RETRIEVAL_SERVER_H_
