// What bounds a gRPC server: the defaults of gRPC 1.51 bound hardly anything.
#ifndef MEMORY3_COMMON_GRPC_LIMITS_H_
#define MEMORY3_COMMON_GRPC_LIMITS_H_

#include <grpcpp/server_builder.h>

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace memory3 {

struct GrpcLimits {
  int max_request_bytes = 4 << 20;
  int max_concurrent_streams = 256;  // per connection
  int max_metadata_bytes = 16 << 10;
  int64_t memory_bytes = int64_t{512} << 20;  // of gRPC's own buffers, all connections together
  int max_threads = 64;
  // Long connections defeat balancing: they are closed at this age, calls in progress given the
  // grace.
  absl::Duration max_connection_age = absl::Minutes(30);
  absl::Duration max_connection_age_grace = absl::Minutes(10);
  absl::Duration keepalive_time = absl::Minutes(1);
  absl::Duration keepalive_timeout = absl::Seconds(20);
};

// `program` names the resource quota.
void SetLimits(const GrpcLimits& limits, const std::string& program, grpc::ServerBuilder& builder);

}  // namespace memory3

#endif  // MEMORY3_COMMON_GRPC_LIMITS_H_
