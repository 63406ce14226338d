// The engine that the in-process benches measure, as the flags say.
#ifndef MEMORY3_TOOLS_BENCH_SUBJECT_H_
#define MEMORY3_TOOLS_BENCH_SUBJECT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/status/statusor.h"
#include "engine/device_runner.h"
#include "engine/engine.h"
#include "engine/model/memory_config.h"
#include "engine/model/model_config.h"
#include "engine/text/tokenizer.h"

ABSL_DECLARE_FLAG(std::string, model_dir);
ABSL_DECLARE_FLAG(std::vector<std::string>, batch);
ABSL_DECLARE_FLAG(std::string, memory_config);
ABSL_DECLARE_FLAG(int, threads);

namespace memory3 {

struct BenchSubject {
  ModelConfig config;
  DType dtype;
  Device device;  // what --device stands for here
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Runner> runner;
};

// What the flags say, with room for `sequences` of `context` tokens and no more: a bench of a small
// machine must not fail on memory it does not use. `memory_slots`: 0 for a runner without explicit
// memory.
absl::StatusOr<BenchSubject> LoadBenchSubject(int sequences, int context, int memory_slots);

// An engine over the subject's runner, which it takes; the subject's tokenizer must outlive it.
absl::StatusOr<std::unique_ptr<Engine>> StartBenchEngine(BenchSubject& subject, int sequences,
                                                         int context,
                                                         std::optional<EngineMemory> memory);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_BENCH_SUBJECT_H_
