// What makes a request one that can run, checked before it is queued.
#ifndef MEMORY3_ENGINE_REQUEST_CHECKS_H_
#define MEMORY3_ENGINE_REQUEST_CHECKS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "engine/generation.h"
#include "engine/runner/runner.h"

namespace memory3 {

// InvalidArgument naming the first field (FieldOf) that no engine with this runner can honour. The
// deadline is not looked at.
absl::Status CheckRequest(const GenerationRequest& request, const RunnerInfo& info);

// The ids that end this request's answer, ascending: its own and, unless ignored, the model's.
std::vector<int32_t> StopIds(const GenerationRequest& request,
                             const std::vector<int32_t>& eos_tokens);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_REQUEST_CHECKS_H_
