#include "tools/grpc_load.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "tools/active_count.h"
#include "tools/rpc_client.h"

namespace memory3 {
namespace {

// One streaming call. Its callbacks come one after the other; the sample may be read after Remove.
class Call : public grpc::ClientReadReactor<v1::ChatChunk> {
 public:
  Call(v1::ChatRequest request, RequestSample* sample, ActiveCount* active)
      : request_(std::move(request)), sample_(sample), active_(active) {}

  void Start(v1::ChatService::StubInterface& stub) {
    stub.async()->Chat(&context_, &request_, this);
    StartRead(&chunk_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (chunk_.token_ids_size() > 0) {
      sample_->arrivals.push_back({absl::Now(), chunk_.token_ids_size()});
    }
    StartRead(&chunk_);
  }

  void OnDone(const grpc::Status& status) override {
    if (!status.ok()) sample_->error = CodeName(status.error_code());
    active_->Remove();
  }

 private:
  grpc::ClientContext context_;
  const v1::ChatRequest request_;
  v1::ChatChunk chunk_;
  RequestSample* const sample_;
  ActiveCount* const active_;
};

v1::ChatRequest ToRequest(const PlannedRequest& planned, int index,
                          const GrpcLoadOptions& options) {
  v1::ChatRequest request;
  for (int32_t id : RandomPrompt(options.seed, index, planned.prompt_tokens, options.vocab)) {
    request.add_prompt_token_ids(id);
  }
  request.set_max_tokens(planned.generate_tokens);
  request.set_temperature(0);
  request.set_ignore_eos(true);
  return request;
}

}  // namespace

std::vector<RequestSample> RunGrpcLoad(v1::ChatService::StubInterface& stub,
                                       absl::Span<const PlannedRequest> plan,
                                       const GrpcLoadOptions& options) {
  std::vector<RequestSample> samples(plan.size());
  std::vector<std::unique_ptr<Call>> calls;
  ActiveCount active;
  for (size_t i = 0; i < plan.size(); ++i) {
    samples[i].prompt_tokens = plan[i].prompt_tokens;
    samples[i].arrivals.reserve(plan[i].generate_tokens);
    calls.push_back(std::make_unique<Call>(ToRequest(plan[i], static_cast<int>(i), options),
                                           &samples[i], &active));
  }
  const bool open_loop = options.streams == 0;
  const absl::Time begin = absl::Now();
  for (size_t i = 0; i < plan.size(); ++i) {
    if (!open_loop) active.AwaitAtMost(options.streams - 1);
    const absl::Time due = begin + plan[i].arrival;
    absl::SleepFor(due - absl::Now());
    samples[i].start = open_loop ? due : absl::Now();
    active.Add();
    calls[i]->Start(stub);
  }
  active.AwaitAtMost(0);
  return samples;
}

}  // namespace memory3
