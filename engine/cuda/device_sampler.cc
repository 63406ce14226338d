#include "engine/cuda/device_sampler.h"

#include <algorithm>
#include <new>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace memory3::cuda {
namespace {

// Parameters and tokens on their way to the device, in pieces.
constexpr int kStagings = 16;
constexpr int kTokensAtOnce = 4096;
constexpr int64_t kStagingBytes =
    std::max(static_cast<int64_t>(kTokensAtOnce * sizeof(int32_t)),
             static_cast<int64_t>(sizeof(SlotSampling) + Arena::kAlignment) / Arena::kAlignment *
                 Arena::kAlignment);

}  // namespace

DeviceSampler::Results DeviceSampler::Results::At(void* begin, int rows) {
  Arena arena(begin);
  Results results;
  results.token = arena.Take<int32_t>(rows);
  results.logprob = arena.Take<float>(rows);
  results.bytes_without_top = arena.used();
  results.top_logprobs = arena.Take<TokenLogprob>(int64_t{rows} * kMaxTopLogprobs);
  results.bytes = arena.used();
  return results;
}

void DeviceSampler::Arrange(Arena& device) {
  state_.vocab = shape_.vocab;
  state_.slots = device.Take<SlotSampling>(shape_.slots);
  state_.marks = device.Take<uint32_t>(int64_t{shape_.slots} * shape_.vocab);
  state_.last_token = device.Take<int32_t>(shape_.slots);
  device_tokens_ = device.Take<int32_t>(kTokensAtOnce);
  scratch_ = device.Take<float>(int64_t{shape_.rows} * shape_.vocab);
  device_results_begin_ = device.Take<char>(Results::At(nullptr, shape_.rows).bytes);
  device_results_ = Results::At(device_results_begin_, shape_.rows);
}

int64_t DeviceSampler::DeviceBytes(const SamplerShape& shape) {
  DeviceSampler sampler;
  sampler.shape_ = shape;
  Arena arena(nullptr);
  sampler.Arrange(arena);
  return arena.used();
}

int64_t DeviceSampler::PinnedBytes(const SamplerShape& shape) {
  return kMaxFetches * Results::At(nullptr, shape.rows).bytes + kStagings * kStagingBytes;
}

absl::StatusOr<DeviceSampler> DeviceSampler::Create(const SamplerShape& shape) {
  DeviceSampler sampler;
  sampler.shape_ = shape;
  M3_ASSIGN_OR_RETURN(sampler.device_, Buffer::Allocate(Buffer::Kind::kDevice, DeviceBytes(shape)));
  M3_ASSIGN_OR_RETURN(sampler.pinned_, Buffer::Allocate(Buffer::Kind::kPinned, PinnedBytes(shape)));
  Arena device(sampler.device_.data());
  sampler.Arrange(device);
  Arena pinned(sampler.pinned_.data());
  for (int i = 0; i < kMaxFetches; ++i) {
    M3_ASSIGN_OR_RETURN(Event copied, Event::Create());
    void* const begin = pinned.Take<char>(Results::At(nullptr, shape.rows).bytes);
    Fetch& fetch = sampler.fetches_.emplace_back(
        Fetch{.results = Results::At(begin, shape.rows), .copied = std::move(copied)});
    fetch.rows.reserve(shape.rows);
    fetch.asked.reserve(shape.rows);
  }
  for (int i = 0; i < kStagings; ++i) {
    M3_ASSIGN_OR_RETURN(Event copied, Event::Create());
    sampler.stagings_.push_back({std::move(copied), pinned.Take<char>(kStagingBytes)});
  }
  sampler.top_logprobs_.assign(shape.slots, -1);
  return sampler;
}

absl::StatusOr<DeviceSampler::Staging*> DeviceSampler::NextStaging() {
  Staging& staging = stagings_[next_];
  next_ = (next_ + 1) % stagings_.size();
  M3_RETURN_IF_ERROR(staging.copied.Synchronize());
  return &staging;
}

absl::Status DeviceSampler::Begin(Stream& stream, SequenceSlot slot, const SamplingParams& params,
                                  absl::Span<const int32_t> prompt) {
  M3_ASSIGN_OR_RETURN(Staging* const staging, NextStaging());
  auto* const sampling = new (staging->data) SlotSampling;
  ToSlotSampling(params, sampling);
  stream.CopyToDevice(state_.slots + slot, sampling, sizeof(SlotSampling));
  staging->copied.Record(stream);
  stream.Fill(state_.marks + int64_t{slot} * shape_.vocab, 0, shape_.vocab * sizeof(uint32_t));
  top_logprobs_[slot] = params.top_logprobs;
  // Nothing else asks whether a token was in the prompt.
  if (params.repetition_penalty != 1) {
    M3_RETURN_IF_ERROR(Mark(stream, slot, prompt, kMarkInPrompt));
  }
  if (params.min_tokens == 0) return absl::OkStatus();
  return Mark(stream, slot, params.suppressed_until_min, kMarkSuppressed);
}

absl::Status DeviceSampler::Mark(Stream& stream, SequenceSlot slot,
                                 absl::Span<const int32_t> tokens, uint32_t mark) {
  for (; !tokens.empty(); tokens.remove_prefix(std::min<size_t>(tokens.size(), kTokensAtOnce))) {
    const absl::Span<const int32_t> piece = tokens.subspan(0, kTokensAtOnce);
    M3_ASSIGN_OR_RETURN(Staging* const staging, NextStaging());
    std::copy(piece.begin(), piece.end(), static_cast<int32_t*>(staging->data));
    stream.CopyToDevice(device_tokens_, staging->data, piece.size() * sizeof(int32_t));
    staging->copied.Record(stream);
    MarkTokens(stream, state_, slot, device_tokens_, static_cast<int32_t>(piece.size()), mark);
  }
  return absl::OkStatus();
}

void DeviceSampler::Sample(Stream& stream, const float* logits, const int32_t* slot, int32_t rows) {
  SampleTokens(stream, {.state = state_,
                        .logits = logits,
                        .slot = slot,
                        .scratch = scratch_,
                        .token = device_results_.token,
                        .logprob = device_results_.logprob,
                        .top_logprobs = device_results_.top_logprobs,
                        .rows = rows});
}

void DeviceSampler::FetchResults(Stream& stream, absl::Span<const LogitRow> rows) {
  M3_CHECK(fetched_ - collected_ < kMaxFetches);
  Fetch& fetch = fetches_[fetched_++ % kMaxFetches];
  fetch.rows.assign(rows.begin(), rows.end());
  // The slots may belong to others by the time this is collected.
  fetch.asked.clear();
  bool top = false;
  for (const LogitRow& row : rows) {
    fetch.asked.push_back(top_logprobs_[row.slot]);
    top |= row.sample && fetch.asked.back() > 0;
  }
  if (!rows.empty()) {
    stream.CopyToHost(fetch.results.token, device_results_begin_,
                      top ? device_results_.bytes : device_results_.bytes_without_top);
  }
  fetch.copied.Record(stream);
}

absl::Status DeviceSampler::Collect(Stream& stream, StepOutput* output) {
  M3_CHECK(collected_ < fetched_);
  const Fetch& fetch = fetches_[collected_++ % kMaxFetches];
  M3_RETURN_IF_ERROR(stream.Synchronize(fetch.copied));
  for (size_t i = 0; i < fetch.rows.size(); ++i) {
    if (!fetch.rows[i].sample) continue;
    SampledToken sampled = {.slot = fetch.rows[i].slot,
                            .token = fetch.results.token[i],
                            .top_begin = static_cast<int32_t>(output->top_logprobs.size())};
    if (const int asked = fetch.asked[i]; asked >= 0) {
      sampled.logprob = fetch.results.logprob[i];
      sampled.top_count = std::min(asked, shape_.vocab);
      const TokenLogprob* const top = fetch.results.top_logprobs + i * kMaxTopLogprobs;
      output->top_logprobs.insert(output->top_logprobs.end(), top, top + sampled.top_count);
    }
    output->sampled.push_back(sampled);
  }
  return absl::OkStatus();
}

}  // namespace memory3::cuda
