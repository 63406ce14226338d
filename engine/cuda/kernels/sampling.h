// Chooses the next tokens on the device, by the rules of engine/sampling/sampler.h: the same
// operations in the same order, the same random numbers, ties to the lower id. SequenceSampler is
// the twin of this kernel.
//
// The sampling state of every sequence slot stays in device memory. A launch reads logits, writes
// token ids and the log probabilities that were asked for, and counts the tokens as generated:
// nothing has to visit the host between two steps. Sums are taken in fixed point, where the order
// of additions does not matter, so the result is the same bits in every launch.
//
//   fill a SlotSampling with ToSlotSampling, copy it to state.slots[slot];
//   Fill state.marks of the slot with zeros; MarkTokens for the prompt and the suppressed ids;
//   SampleTokens(stream, args) every step.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_H_

#include <cstdint>

#include "engine/cuda/platform/runtime.h"
#include "engine/runner/batch.h"
#include "engine/runner/sampling_params.h"

namespace memory3::cuda {

struct TokenBias {
  int32_t token = 0;
  float bias = 0;
};

// SamplingParams of one slot as the device reads them, and how far its answer is.
struct SlotRules {
  uint64_t seed = 0;
  float temperature = 1;
  float top_p = 1;
  float min_p = 0;
  float repetition_penalty = 1;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  int32_t top_k = 0;
  int32_t min_tokens = 0;
  int32_t top_logprobs = -1;
  int32_t bias_count = 0;
  int32_t generated = 0;  // counted by the kernel
};
struct SlotSampling {
  SlotRules rules;
  TokenBias bias[kMaxLogitBias];
};

// `params` are valid. suppressed_until_min goes to the device through MarkTokens.
void ToSlotSampling(const SamplingParams& params, SlotSampling* slot);

// What a slot knows about a token of the vocabulary, in one word: flags, and how often it is in the
// answer.
inline constexpr uint32_t kMarkInPrompt = 1u << 31;
inline constexpr uint32_t kMarkSuppressed = 1u << 30;  // until min_tokens
inline constexpr uint32_t kMarkCount = kMarkSuppressed - 1;

// Device memory.
struct SamplerState {
  SlotSampling* slots = nullptr;  // (slots)
  uint32_t* marks = nullptr;      // (slots, vocab)
  int32_t* last_token = nullptr;  // (slots) what each slot chose last; EmbedArgs::sampled
  int32_t vocab = 0;
};

// Sets `mark` for `count` tokens (device memory, in the vocabulary, repeated or not) of one slot.
void MarkTokens(Stream& stream, const SamplerState& state, int32_t slot, const int32_t* tokens,
                int32_t count, uint32_t mark);

struct SamplingArgs {
  SamplerState state;
  const float* logits = nullptr;  // (rows, vocab), aligned to 16 bytes
  const int32_t* slot = nullptr;  // (rows) each at most once; -1: padding, left alone
  float* scratch = nullptr;       // (rows, vocab), aligned to 16 bytes
  int32_t* token = nullptr;       // (rows)
  float* logprob = nullptr;       // (rows); 0 when not asked for
  // (rows, kMaxTopLogprobs): the min(top_logprobs, vocab) best, best first.
  TokenLogprob* top_logprobs = nullptr;
  int32_t rows = 0;
};

void SampleTokens(Stream& stream, const SamplingArgs& args);

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SAMPLING_H_
