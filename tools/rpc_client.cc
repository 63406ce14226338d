#include "tools/rpc_client.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace memory3 {
namespace {

constexpr absl::Duration kHealthCallTimeout = absl::Seconds(2);
constexpr int kReconnectMillis = 100;
constexpr absl::Duration kHealthPollInterval = absl::Milliseconds(50);

using HealthStub = grpc::health::v1::Health::Stub;

// Empty when the server is serving, otherwise what it said.
std::string AskHealth(HealthStub& stub, absl::Duration timeout) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = stub.Check(&context, {}, &response);
  if (!status.ok()) return Describe(status);
  if (response.status() == grpc::health::v1::HealthCheckResponse::SERVING) return "";
  return absl::StrCat("the server says ",
                      grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response.status()));
}

}  // namespace

std::shared_ptr<grpc::Channel> ConnectTo(const std::string& target) {
  grpc::ChannelArguments arguments;
  // gRPC waits a second and more between attempts; a server that has just started is found sooner.
  // (Its "minimum backoff" stays: that is how long a busy server may take to greet.)
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMillis);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMillis);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

absl::Status WaitUntilServing(const std::shared_ptr<grpc::Channel>& channel,
                              absl::Duration timeout) {
  const std::unique_ptr<HealthStub> stub = grpc::health::v1::Health::NewStub(channel);
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    const absl::Duration left = deadline - absl::Now();
    const std::string said =
        AskHealth(*stub, std::clamp(left, kHealthPollInterval, kHealthCallTimeout));
    if (said.empty()) return absl::OkStatus();
    if (absl::Now() + kHealthPollInterval >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("not serving after ", absl::FormatDuration(timeout), ": ", said));
    }
    absl::SleepFor(kHealthPollInterval);
  }
}

std::string CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const int index = code;
  if (index < 0 || index >= static_cast<int>(std::size(kNames))) {
    return absl::StrCat("code ", index);
  }
  return kNames[index];
}

std::string Describe(const grpc::Status& status) {
  std::string text = absl::StrCat(CodeName(status.error_code()), ": ", status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return text;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&bad_request)) {
      for (const auto& violation : bad_request.field_violations()) {
        absl::StrAppend(&text, "\n  ", violation.field(), ": ", violation.description());
      }
    } else if (detail.UnpackTo(&retry)) {
      const double seconds = retry.retry_delay().seconds() + retry.retry_delay().nanos() * 1e-9;
      absl::StrAppendFormat(&text, "\n  retry in %.3g s at the earliest", seconds);
    }
  }
  return text;
}

}  // namespace memory3
