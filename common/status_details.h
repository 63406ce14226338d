// absl::Status -> grpc::Status with the google.rpc details a client can act on.
//
// INVALID_ARGUMENT that names a request field (engine/base/field_error.h) carries a BadRequest;
// RESOURCE_EXHAUSTED and UNAVAILABLE that say when to come back (WithRetryDelay) carry a RetryInfo.
#ifndef MEMORY3_COMMON_STATUS_DETAILS_H_
#define MEMORY3_COMMON_STATUS_DETAILS_H_

#include <grpcpp/support/status.h>

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace memory3 {

// When a client should try again: after the server said it is full, and while it starts or drains.
inline constexpr absl::Duration kRetryWhenFull = absl::Seconds(1);
inline constexpr absl::Duration kRetryWhenNotServing = absl::Seconds(2);

// The same status with a delay attached.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

grpc::Status ToGrpcStatus(const absl::Status& status);

// "INVALID_ARGUMENT": the spelling of logs and metric labels.
std::string_view CodeName(absl::StatusCode code);

}  // namespace memory3

#endif  // MEMORY3_COMMON_STATUS_DETAILS_H_
