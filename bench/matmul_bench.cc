// The matrix products of a 1.2 billion parameter Llama (hidden 2048, 32/8 heads, MLP 5632,
// vocabulary 32000), as a step runs them: the weights of another layer every time, so that they
// come from memory and not from a cache.
//
//   matmul_bench --benchmark_filter=gate_up
//
// Every line gives the mean time, and for the fastest iteration the weights read and the
// arithmetic per second, beside the machine's ceiling measured at the start of the same run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "engine/base/cpu_count.h"
#include "engine/base/thread_pool.h"
#include "engine/cpu/matmul.h"
#include "tools/machine_ceiling.h"

namespace memory3 {
namespace {

struct Shape {
  const char* name;
  int64_t outputs, inputs;
  int layers;  // different matrices in turn
};
constexpr Shape kShapes[] = {{"qkv", 3072, 2048, 12},
                             {"o", 2048, 2048, 12},
                             {"gate_up", 11264, 2048, 12},
                             {"down", 2048, 5632, 12},
                             {"lm_head", 32000, 2048, 4}};
constexpr int64_t kRows[] = {1, 4, 8, 16, 32, 128, 512};

std::vector<float> RandomFloats(int64_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.05f);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

struct Subject {
  const Shape* shape;
  DType dtype;
  CpuIsa isa;
  bool operator==(const Subject&) const = default;
};

// The packed layers of the latest subject: Google Benchmark calls a function several times, and
// packing takes longer than measuring.
class Layers {
 public:
  explicit Layers(ThreadPool& pool) : pool_(pool) {}

  const std::vector<PackedMatrix>& Get(const Subject& subject) {
    if (!layers_.empty() && subject == subject_) return layers_;
    subject_ = subject;
    layers_.clear();
    const Shape& shape = *subject.shape;
    const std::vector<float> values = RandomFloats(shape.outputs * shape.inputs);
    Tensor tensor;
    tensor.shape = {shape.outputs, shape.inputs};
    tensor.data = absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(values.data()),
                                      values.size() * sizeof(float));
    for (int i = 0; i < shape.layers; ++i) {
      layers_.push_back(PackedMatrix::Pack({&tensor}, subject.dtype, subject.isa, pool_));
    }
    return layers_;
  }

 private:
  ThreadPool& pool_;
  Subject subject_ = {};
  std::vector<PackedMatrix> layers_;
};

void Products(benchmark::State& state, const Subject& subject, const MachineCeiling& ceiling,
              Layers& packed, ThreadPool& pool) {
  using Clock = std::chrono::steady_clock;
  const int64_t rows = state.range(0);
  const Shape& shape = *subject.shape;
  const std::vector<PackedMatrix>& layers = packed.Get(subject);
  const std::vector<float> x = RandomFloats(rows * shape.inputs);
  std::vector<float> y(rows * shape.outputs);
  PackedInput input(rows, shape.inputs);
  double fastest = 1e30;
  size_t layer = 0;
  for (auto _ : state) {
    const Clock::time_point began = Clock::now();
    input.Set(x.data(), rows, shape.inputs, subject.dtype, pool);
    MatMul(pool, layers[layer], input, nullptr, false, y.data(), shape.outputs);
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - began).count());
    layer = (layer + 1) % layers.size();
  }
  const double bytes = static_cast<double>(layers[0].bytes());
  const double flops = 2.0 * rows * shape.outputs * shape.inputs;
  state.counters["best_us"] = fastest * 1e6;
  state.counters["GB/s"] = bytes / fastest / 1e9;
  state.counters["GFLOP/s"] = flops / fastest / 1e9;
  state.counters["read%"] = 100 * bytes / fastest / ceiling.read_bytes_per_second;
  state.counters["peak%"] = 100 * flops / fastest / ceiling.bf16_flops_per_second;
}

void RegisterAll(const MachineCeiling& ceiling, Layers& layers, ThreadPool& pool) {
  for (CpuIsa isa : {CpuIsa::kAvx512Bf16, CpuIsa::kAvx2, CpuIsa::kPortable}) {
    if (!IsSupported(isa)) continue;
    for (DType dtype : {DType::kBF16, DType::kF32}) {
      for (const Shape& shape : kShapes) {
        const std::string name =
            std::string(NameOf(isa)) + "/" + std::string(NameOf(dtype)) + "/" + shape.name;
        const Subject subject = {&shape, dtype, isa};
        auto* bench = benchmark::RegisterBenchmark(
            name.c_str(), [subject, ceiling, &layers, &pool](benchmark::State& state) {
              Products(state, subject, ceiling, layers, pool);
            });
        for (int64_t rows : kRows) bench->Arg(rows);
        bench->Unit(benchmark::kMicrosecond)->UseRealTime();
      }
    }
  }
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const memory3::MachineCeiling ceiling = memory3::MeasureMachineCeiling(0);
  benchmark::AddCustomContext("read_GB_per_second",
                              std::to_string(ceiling.read_bytes_per_second / 1e9));
  benchmark::AddCustomContext("bf16_GFLOP_per_second",
                              std::to_string(ceiling.bf16_flops_per_second / 1e9));
  memory3::ThreadPool pool(memory3::UsableCores());
  memory3::Layers layers(pool);
  memory3::RegisterAll(ceiling, layers, pool);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
