// Gives a load to an engine in this process and records when every token came back: what a server
// would add is left out.
#ifndef MEMORY3_TOOLS_ENGINE_LOAD_H_
#define MEMORY3_TOOLS_ENGINE_LOAD_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/engine.h"
#include "tools/bench_workload.h"
#include "tools/load_samples.h"

namespace memory3 {

// Submits all requests at once (arrival times are not looked at) and returns their samples in the
// same order. Prompts, sampling and lengths as RunGrpcLoad has them.
std::vector<RequestSample> RunEngineLoad(Engine& engine, absl::Span<const PlannedRequest> plan,
                                         uint64_t seed, const MemoryRequest& memory = {});

}  // namespace memory3

#endif  // MEMORY3_TOOLS_ENGINE_LOAD_H_
