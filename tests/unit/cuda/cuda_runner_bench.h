// A RunnerBench with the CUDA runner, whose kernels run on the host.
#ifndef MEMORY3_TESTS_UNIT_CUDA_CUDA_RUNNER_BENCH_H_
#define MEMORY3_TESTS_UNIT_CUDA_CUDA_RUNNER_BENCH_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <utility>

#include "engine/base/check.h"
#include "engine/cuda/cuda_runner.h"
#include "tests/unit/runner/random_model.h"
#include "tests/unit/runner/runner_bench.h"

namespace memory3 {

class CudaRunnerBench : public RunnerBench {
 public:
  CudaRunnerBench(const RandomModel& model, CudaRunnerOptions options, uint32_t block_seed)
      : RunnerBench(Create(model, std::move(options)), block_seed) {}

 private:
  static std::unique_ptr<Runner> Create(const RandomModel& model, CudaRunnerOptions options) {
    options.max_sequences = kSequences;
    auto runner = CreateCudaRunner(model.config, model.weights, options);
    if (!runner.ok()) std::fprintf(stderr, "%s\n", runner.status().ToString().c_str());
    M3_CHECK(runner.ok());
    return *std::move(runner);
  }
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_CUDA_CUDA_RUNNER_BENCH_H_
