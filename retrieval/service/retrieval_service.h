// memory3.v1.RetrievalService. gRPC's threads only hand over: parsing, embedding and searching run
// on a bounded work queue, and a full queue refuses at once.
#ifndef MEMORY3_RETRIEVAL_SERVICE_RETRIEVAL_SERVICE_H_
#define MEMORY3_RETRIEVAL_SERVICE_RETRIEVAL_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>

#include "absl/status/statusor.h"
#include "common/work_queue.h"
#include "memory3/v1/retrieval.grpc.pb.h"
#include "retrieval/service/bank_follower.h"
#include "retrieval/service/options.h"
#include "retrieval/service/retrieval_metrics.h"

namespace memory3 {

inline constexpr int kDefaultRetrieveLimit = 5;
inline constexpr int kMaxRetrieveLimit = 100;

class RetrievalServiceImpl final
    : public v1::RetrievalService::WithRawCallbackMethod_Retrieve<
          v1::RetrievalService::WithRawCallbackMethod_GetInfo<
              v1::RetrievalService::WithRawCallbackMethod_Refresh<v1::RetrievalService::Service>>> {
 public:
  // Everything passed must outlive the service. refreshed: called after every Refresh.
  RetrievalServiceImpl(const RetrievalOptions& options, BankFollower& bank, WorkQueue& work,
                       RetrievalMetrics& metrics, std::function<void()> refreshed);

  grpc::ServerUnaryReactor* Retrieve(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetInfo(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Refresh(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;

 private:
  // Runs handler(request), which gives a StatusOr of the reply, on the work queue.
  template <typename Request, typename Handler>
  grpc::ServerUnaryReactor* Answer(const char* method, grpc::CallbackServerContext* context,
                                   const grpc::ByteBuffer* bytes, grpc::ByteBuffer* response,
                                   Handler handler);
  absl::Status Check(const v1::RetrieveRequest& request) const;
  absl::StatusOr<v1::RetrieveResponse> DoRetrieve(const grpc::CallbackServerContext& context,
                                                  const v1::RetrieveRequest& request) const;
  absl::StatusOr<v1::RetrievalInfo> DoRefresh() const;

  const RetrievalOptions& options_;
  BankFollower& bank_;
  WorkQueue& work_;
  RetrievalMetrics& metrics_;
  const std::function<void()> refreshed_;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_SERVICE_RETRIEVAL_SERVICE_H_
