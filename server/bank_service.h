// memory3.v1.BankService: the references behind the served model.
#ifndef MEMORY3_SERVER_BANK_SERVICE_H_
#define MEMORY3_SERVER_BANK_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "common/work_queue.h"
#include "memory3/v1/bank.grpc.pb.h"
#include "server/front.h"

namespace memory3 {

// Changes that wait for their turn; more are refused at once.
inline constexpr int kMaxPendingBankChanges = 64;

// Reads answer on the request threads. Changes wait for the engine, the disk and the sidecar: they
// have a thread of their own and go one after the other.
class BankServiceImpl final : public v1::BankService::WithRawCallbackMethod_GetBank<
                                  v1::BankService::WithRawCallbackMethod_GetReference<
                                      v1::BankService::WithRawCallbackMethod_AddReference<
                                          v1::BankService::WithRawCallbackMethod_DeleteReference<
                                              v1::BankService::Service>>>> {
 public:
  explicit BankServiceImpl(const Front& front)
      : front_(front), changes_(/*threads=*/1, kMaxPendingBankChanges) {}

  grpc::ServerUnaryReactor* GetBank(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetReference(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* AddReference(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteReference(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;

 private:
  const Front front_;
  WorkQueue changes_;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_BANK_SERVICE_H_
