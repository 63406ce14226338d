// The subcommands of memory3-bench. Each measures as its flags say and fills in the notes, the
// table and the explanations of a report.
#ifndef MEMORY3_TOOLS_BENCH_COMMANDS_H_
#define MEMORY3_TOOLS_BENCH_COMMANDS_H_

#include "absl/status/status.h"
#include "tools/bench_report.h"

namespace memory3 {

// Drives an engine in this process.
absl::Status BenchEngine(BenchReport* report);

// Drives an engine with explicit memory in this process, against the same engine without.
absl::Status BenchMemory(BenchReport* report);

// Drives a running server over gRPC.
absl::Status BenchServe(BenchReport* report);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_BENCH_COMMANDS_H_
