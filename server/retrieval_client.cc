#include "server/retrieval_client.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace memory3 {
namespace {

// A sidecar that was restarted is to be found at once; gRPC's own pauses grow to minutes.
constexpr int kFirstReconnectMs = 20;
constexpr int kLongestReconnectMs = 100;
// One attempt may take this long on a busy machine: gRPC calls that its smallest pause.
constexpr int kConnectTimeoutMs = 800;
constexpr int kMaxReplyBytes = 4 << 20;

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestReconnectMs);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(kMaxReplyBytes);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat("retrieval: ", status.error_message()));
}

// Says that the sidecar, not the question, is at fault.
bool IsFailure(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::OK:
    case grpc::CANCELLED:
    case grpc::INVALID_ARGUMENT:
      return false;
    default:
      return true;
  }
}

RetrievalAnswer ToAnswer(const v1::RetrieveResponse& response) {
  RetrievalAnswer answer;
  answer.epoch = response.bank_epoch();
  for (const v1::RetrieveResult& result : response.results()) {
    std::vector<RetrievedMemory>& memories = answer.results.emplace_back();
    for (const v1::ScoredMemory& memory : result.memories()) {
      memories.push_back({memory.memory_id(), memory.score()});
    }
  }
  return answer;
}

std::chrono::system_clock::time_point DeadlineAfter(absl::Duration timeout) {
  return absl::ToChronoTime(absl::Now() + timeout);
}

}  // namespace

struct RetrievalClient::Call {
  grpc::ClientContext context;
  v1::RetrieveRequest request;
  v1::RetrieveResponse response;
  Done done;
};

RetrievalClient::RetrievalClient(const std::string& target, int limit, uint64_t seed, Clock* clock)
    : limit_(limit),
      clock_(clock != nullptr ? *clock : real_clock_),
      breaker_(seed),
      stub_(v1::RetrievalService::NewStub(OpenChannel(target))) {}

RetrievalClient::~RetrievalClient() {
  MutexLock lock(mutex_);
  for (Call* call : calls_) call->context.TryCancel();
  while (!calls_.empty() || finishing_ > 0) emptied_.Wait(mutex_);
}

void RetrievalClient::Retrieve(std::vector<std::string> queries, absl::Duration timeout,
                               Done done) {
  auto owned = std::make_unique<Call>();
  owned->done = std::move(done);
  absl::Status taken = Take(owned.get());
  if (!taken.ok()) return owned->done(std::move(taken));
  Call* call = owned.release();
  for (std::string& query : queries) call->request.add_queries(std::move(query));
  call->request.set_limit(limit_);
  call->context.set_deadline(DeadlineAfter(timeout));
  stub_->async()->Retrieve(&call->context, &call->request, &call->response,
                           [this, call](const grpc::Status& status) { Finish(call, status); });
}

absl::Status RetrievalClient::Take(Call* call) {
  MutexLock lock(mutex_);
  // First: this says nothing about the sidecar, and must not use up the breaker's probe.
  if (calls_.size() >= kMaxCalls) {
    return absl::ResourceExhaustedError("retrieval: too many calls in flight");
  }
  if (!breaker_.Allow(clock_.Steady())) {
    return absl::UnavailableError("retrieval: the sidecar failed repeatedly; not asked just now");
  }
  calls_.insert(call);
  return absl::OkStatus();
}

void RetrievalClient::Finish(Call* call, const grpc::Status& status) {
  if (IsFailure(status)) {
    breaker_.OnFailure(clock_.Steady());
  } else {
    breaker_.OnSuccess();
  }
  std::unique_ptr<Call> owned(call);
  {
    MutexLock lock(mutex_);
    calls_.erase(call);
    ++finishing_;
  }
  if (status.ok()) {
    call->done(ToAnswer(call->response));
  } else {
    call->done(FromGrpc(status));
  }
  // The call refers to the channel, whose last reference must not go on a thread of gRPC's.
  owned.reset();
  MutexLock lock(mutex_);
  --finishing_;
  if (calls_.empty() && finishing_ == 0) emptied_.SignalAll();
}

absl::Status RetrievalClient::Refresh(absl::Duration timeout) {
  grpc::ClientContext context;
  context.set_deadline(DeadlineAfter(timeout));
  v1::RetrievalInfo info;
  return FromGrpc(stub_->Refresh(&context, v1::RefreshRequest(), &info));
}

}  // namespace memory3
