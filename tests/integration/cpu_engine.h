// An engine on the CPU runner with a small random model, for tests of both together.
#ifndef MEMORY3_TESTS_INTEGRATION_CPU_ENGINE_H_
#define MEMORY3_TESTS_INTEGRATION_CPU_ENGINE_H_

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/base/status_macros.h"
#include "engine/cpu/cpu_runner.h"
#include "engine/engine.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "gtest/gtest.h"
#include "tests/integration/random_model.h"
#include "tests/unit/engine/byte_tokenizer.h"

namespace memory3 {

inline absl::StatusOr<std::unique_ptr<Engine>> CreateCpuEngine(
    const RandomModelShape& shape, const CpuRunnerOptions& runner_options,
    EngineOptions engine_options, const Tokenizer& tokenizer) {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "_" + test->name();
  for (char& c : name) c = c == '/' ? '_' : c;
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / ("m3_" + name);
  std::filesystem::create_directories(folder);
  M3_RETURN_IF_ERROR(WriteRandomModel(shape, /*seed=*/2024, folder));
  M3_ASSIGN_OR_RETURN(ModelConfig config, LoadModelConfig(folder));
  M3_ASSIGN_OR_RETURN(ModelWeights weights, ModelWeights::Open(folder, config));
  M3_ASSIGN_OR_RETURN(std::unique_ptr<Runner> runner,
                      CreateCpuRunner(config, weights, runner_options));
  std::filesystem::remove_all(folder);
  engine_options.eos_tokens = config.eos_tokens;
  return Engine::Create(std::move(engine_options), std::move(runner), tokenizer);
}

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_CPU_ENGINE_H_
