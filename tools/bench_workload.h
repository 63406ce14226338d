// What a bench asks for: the same requests whether they reach an engine in process or over gRPC.
#ifndef MEMORY3_TOOLS_BENCH_WORKLOAD_H_
#define MEMORY3_TOOLS_BENCH_WORKLOAD_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace memory3 {

struct PlannedRequest {
  absl::Duration arrival;  // after the beginning of the run; not before a stream is free
  int prompt_tokens = 0;
  int generate_tokens = 0;
};

// `count` requests of one shape, all wanted at once.
std::vector<PlannedRequest> UniformWorkload(int count, int prompt_tokens, int generate_tokens);

// Ids of prompt `index`: uniformly random in [0, vocab), the same for the same arguments.
std::vector<int32_t> RandomPrompt(uint64_t seed, int index, int tokens, int vocab);

struct TraceOptions {
  double speed = 1;         // arrival times are divided by this
  double length_scale = 1;  // lengths are multiplied by this
  int max_requests = 0;     // 0: all
  // Longer requests are cut to these, prompt first; answers are at least one token.
  int max_context_tokens = 0;
  int max_generate_tokens = 0;
};

struct Trace {
  std::vector<PlannedRequest> requests;  // by arrival
  int cut = 0;                           // requests that did not fit the limits
};

// A JSON object per line: "timestamp" in milliseconds, "input_length" and "output_length" in
// tokens; other members are ignored. InvalidArgument names file and line.
absl::StatusOr<Trace> LoadTrace(const std::filesystem::path& file, const TraceOptions& options);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_BENCH_WORKLOAD_H_
