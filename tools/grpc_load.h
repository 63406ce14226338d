// Sends a planned load to a memory3-server and records when every token came back.
#ifndef MEMORY3_TOOLS_GRPC_LOAD_H_
#define MEMORY3_TOOLS_GRPC_LOAD_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/types/span.h"
#include "memory3/v1/chat.grpc.pb.h"
#include "tools/bench_workload.h"
#include "tools/load_samples.h"

namespace memory3 {

struct GrpcLoadOptions {
  // Requests under way at the same time; the next starts when one ends. 0: no limit, so that only
  // the arrival times decide (an open loop).
  int streams = 0;
  uint64_t seed = 1;
  int vocab = 0;  // of the served model
};

// Runs all requests and returns their samples in the same order. Prompts are random ids, sampling
// is greedy, and end-of-text is ignored, so that every answer has the planned length. In an open
// loop a request's time starts at its planned arrival even where the client itself was late.
std::vector<RequestSample> RunGrpcLoad(v1::ChatService::StubInterface& stub,
                                       absl::Span<const PlannedRequest> plan,
                                       const GrpcLoadOptions& options);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_GRPC_LOAD_H_
