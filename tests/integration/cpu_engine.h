// An engine on the CPU runner with a small random model, for tests of both together.
#ifndef MEMORY3_TESTS_INTEGRATION_CPU_ENGINE_H_
#define MEMORY3_TESTS_INTEGRATION_CPU_ENGINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "engine/base/status_macros.h"
#include "engine/cpu/cpu_runner.h"
#include "engine/engine.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "tests/integration/synth_folder.h"
#include "tests/unit/engine/byte_tokenizer.h"

namespace memory3 {

// Small enough for thousands of answers; tokens of tests/unit/engine/byte_tokenizer.h.
inline SynthShape ByteShape() {
  return {.hidden = 64,
          .layers = 2,
          .heads = 4,
          .kv_heads = 2,
          .head_dim = 16,
          .mlp = 96,
          .vocab = 260,
          .context = 128,
          .tied_embeddings = true};
}

inline absl::StatusOr<std::unique_ptr<Engine>> CreateCpuEngine(
    const SynthShape& shape, const CpuRunnerOptions& runner_options, EngineOptions engine_options,
    const Tokenizer& tokenizer) {
  const SynthFolder folder(shape);  // what is open stays readable when it is gone
  M3_ASSIGN_OR_RETURN(ModelConfig config, LoadModelConfig(folder.path()));
  M3_ASSIGN_OR_RETURN(ModelWeights weights, ModelWeights::Open(folder.path(), config));
  M3_ASSIGN_OR_RETURN(std::unique_ptr<Runner> runner,
                      CreateCpuRunner(config, weights, runner_options));
  engine_options.eos_tokens = config.eos_tokens;
  return Engine::Create(std::move(engine_options), std::move(runner), tokenizer);
}

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_CPU_ENGINE_H_
