// Sampling state of every sequence slot in device memory, and the way of a step's tokens back.
#ifndef MEMORY3_ENGINE_CUDA_DEVICE_SAMPLER_H_
#define MEMORY3_ENGINE_CUDA_DEVICE_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/cuda/arena.h"
#include "engine/cuda/kernels/sampling.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/cuda/step_input.h"
#include "engine/runner/batch.h"
#include "engine/runner/runner.h"
#include "engine/runner/sampling_params.h"

namespace memory3::cuda {

struct SamplerShape {
  int vocab = 0;
  int slots = 0;
  int rows = 0;  // sampled from at once
};

// Not thread-safe. All work goes to one stream.
class DeviceSampler {
 public:
  static int64_t DeviceBytes(const SamplerShape& shape);
  static int64_t PinnedBytes(const SamplerShape& shape);
  static absl::StatusOr<DeviceSampler> Create(const SamplerShape& shape);

  // Sets a slot's state afresh; tokens are in the vocabulary. Copied before it returns.
  absl::Status Begin(Stream& stream, SequenceSlot slot, const SamplingParams& params,
                     absl::Span<const int32_t> prompt);

  // Chooses the next token of slot[i] (device memory; -1: of none) from row i of `logits`. May be
  // captured.
  void Sample(Stream& stream, const float* logits, const int32_t* slot, int32_t rows);
  // Enqueues the copy of what was chosen for `rows` to the host, where at most kMaxFetches wait for
  // Collect.
  void FetchResults(Stream& stream, absl::Span<const LogitRow> rows);
  // Waits for the oldest of those copies, and so for all that was enqueued before it; appends what
  // was chosen for those of its rows that were sampled from. Nothing when the stream has failed.
  absl::Status Collect(Stream& stream, StepOutput* output);
  static constexpr int kMaxFetches = kMaxStepsStarted;

  // (slots) the token that each slot chose last, in device memory.
  const int32_t* last_token() const { return state_.last_token; }

 private:
  struct Staging {
    Event copied;
    void* data = nullptr;
  };
  // One block, so that one copy brings it back; most steps need only the first two.
  struct Results {
    int32_t* token = nullptr;              // (rows)
    float* logprob = nullptr;              // (rows)
    TokenLogprob* top_logprobs = nullptr;  // (rows, kMaxTopLogprobs)
    int64_t bytes_without_top = 0;
    int64_t bytes = 0;
    static Results At(void* begin, int rows);
  };
  // Results on their way to the host.
  struct Fetch {
    Results results;
    std::vector<LogitRow> rows;
    std::vector<int> asked;  // top_logprobs_ of each row when it was enqueued
    Event copied;
  };

  DeviceSampler() = default;
  void Arrange(Arena& device);
  absl::StatusOr<Staging*> NextStaging();
  absl::Status Mark(Stream& stream, SequenceSlot slot, absl::Span<const int32_t> tokens,
                    uint32_t mark);

  SamplerShape shape_;
  Buffer device_, pinned_;
  SamplerState state_;
  int32_t* device_tokens_ = nullptr;  // on their way to MarkTokens
  float* scratch_ = nullptr;
  void* device_results_begin_ = nullptr;
  Results device_results_;
  std::vector<Fetch> fetches_;  // kMaxFetches
  int64_t fetched_ = 0, collected_ = 0;
  std::vector<Staging> stagings_;
  size_t next_ = 0;
  std::vector<int> top_logprobs_;  // by slot: how many are asked for; -1: not even the token's own
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_DEVICE_SAMPLER_H_
