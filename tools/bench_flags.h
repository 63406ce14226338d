// Flags that both subcommands of memory3-bench know.
#ifndef MEMORY3_TOOLS_BENCH_FLAGS_H_
#define MEMORY3_TOOLS_BENCH_FLAGS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/load_samples.h"

ABSL_DECLARE_FLAG(int, prompt);
ABSL_DECLARE_FLAG(int, generate);
ABSL_DECLARE_FLAG(int, repeat);
ABSL_DECLARE_FLAG(uint64_t, seed);

namespace memory3 {

// InvalidArgument naming the flag when one of the shared flags is out of range.
absl::Status CheckSharedFlags();

// Positive numbers of a list flag: "1,8,16".
absl::StatusOr<std::vector<int>> PositiveNumbers(const std::string& flag,
                                                 const std::vector<std::string>& values);

// The one with the median output tokens/s; at least one.
LoadSummary MedianOf(std::vector<LoadSummary>& runs);

// Runs `load` --repeat times and returns the summary with the median output tokens/s.
LoadSummary MedianRun(const std::function<std::vector<RequestSample>()>& load);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_BENCH_FLAGS_H_
