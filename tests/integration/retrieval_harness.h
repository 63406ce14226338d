// The sidecar in the test's own process, on free ports of loopback, and a client of it.
#ifndef MEMORY3_TESTS_INTEGRATION_RETRIEVAL_HARNESS_H_
#define MEMORY3_TESTS_INTEGRATION_RETRIEVAL_HARNESS_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "memory3/v1/retrieval.grpc.pb.h"
#include "retrieval/service/retrieval_server.h"

namespace memory3 {

// Looks for news so rarely that only Refresh brings them.
RetrievalOptions RetrievalTestOptions(const std::filesystem::path& bank);

class RetrievalHarness {
 public:
  explicit RetrievalHarness(const RetrievalOptions& options);
  ~RetrievalHarness();

  RetrievalServer& server() { return *server_; }
  v1::RetrievalService::Stub& stub() { return *stub_; }
  std::shared_ptr<grpc::Channel> channel() { return channel_; }

  grpc::Status Retrieve(const std::vector<std::string>& queries, v1::RetrieveResponse* response,
                        int limit = 0);
  // Best id of one query; must be OK and find something.
  uint64_t Nearest(const std::string& query);
  grpc::Status Refresh(v1::RetrievalInfo* info);
  grpc::Status GetInfo(v1::RetrievalInfo* info);
  // Waits until there is a bank.
  bool BecomesReady();
  double Sample(const std::string& name) const;

 private:
  std::FILE* log_file_;
  Logger log_;
  std::unique_ptr<RetrievalServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::RetrievalService::Stub> stub_;
};

// Asks again and again; false when it did not come true in half a minute.
bool ComesTrue(const std::function<bool()>& condition);

// The field a BadRequest names; empty when there is none.
std::string FieldNamedBy(const grpc::Status& status);

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_RETRIEVAL_HARNESS_H_
