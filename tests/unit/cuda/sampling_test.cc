// The device's sampling against engine/sampling: the same tokens, exactly.
//
// Weights are equal bit by bit. Sums are not: the device adds in fixed point, the CPU in doubles,
// so where a sum comes within about 1e-10 of a threshold the two may choose differently. These
// seeds have no such case, hence no tolerance.
#include "engine/cuda/kernels/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "engine/sampling/sampler.h"
#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What the logits of a test look like.
enum class Logits { kNormal, kPeaked, kTied, kAllEqual, kFarBelowOne, kBroken, kNothing };

float RandomLogit(std::mt19937_64& random, Logits kind) {
  std::normal_distribution<float> normal(-2.0f, 3.0f);
  switch (kind) {
    case Logits::kNormal:
      return normal(random);
    case Logits::kPeaked:
      return 6 * normal(random);
    case Logits::kTied:
      return std::round(normal(random));
    case Logits::kAllEqual:
      return 1.5f;
    case Logits::kFarBelowOne:  // one bin of the boundary search, where a list does not hold it
      return 1e-4f * normal(random);
    case Logits::kBroken: {
      const float special[] = {kInfinity, -kInfinity, std::nanf(""), -0.0f, 0.0f, 3e38f, -3e38f};
      const int i = Uniform(random, 0, 30);
      return i < 7 ? special[i] : normal(random);
    }
    case Logits::kNothing:
      return Uniform(random, 0, 1) == 0 ? std::nanf("") : -kInfinity;
  }
  return 0;
}

template <typename T>
T Pick(std::mt19937_64& random, std::initializer_list<T> values) {
  return values.begin()[Uniform(random, 0, static_cast<int>(values.size()) - 1)];
}

SamplingParams RandomParams(std::mt19937_64& random, int vocab) {
  SamplingParams params;
  params.temperature = Pick(random, {0.0f, 0.3f, 1.0f, 1.0f, 2.5f, 100.0f});
  params.top_k = Pick(random, {0, 0, 1, 3, 50, vocab, 2 * vocab, vocab / 2});
  params.top_p = Pick(random, {1.0f, 1.0f, 0.9f, 0.5f, 0.999f, 1e-6f});
  params.min_p = Pick(random, {0.0f, 0.0f, 0.05f, 0.5f, 1.0f});
  params.repetition_penalty = Pick(random, {1.0f, 1.0f, 1.3f, 0.7f});
  params.presence_penalty = Pick(random, {0.0f, 0.0f, 1.5f, -2.0f});
  params.frequency_penalty = Pick(random, {0.0f, 0.0f, 0.7f, -0.3f});
  params.seed = random();
  params.top_logprobs = Pick(random, {-1, -1, 0, 1, 5, kMaxTopLogprobs});
  if (Uniform(random, 0, 2) == 0) {
    for (int token = 0; token < vocab && params.logit_bias.size() < kMaxLogitBias; ++token) {
      if (Uniform(random, 0, vocab / 8) != 0) continue;
      params.logit_bias.emplace_back(token, Pick(random, {-100.0f, 100.0f, 2.5f, -1.0f}));
    }
  }
  if (Uniform(random, 0, 1) == 0) {
    params.min_tokens = Uniform(random, 1, 3);
    for (int i = 0; i < 5; ++i) {
      params.suppressed_until_min.push_back(Uniform(random, 0, vocab - 1));
    }
  }
  return params;
}

std::vector<int32_t> RandomTokens(std::mt19937_64& random, int vocab, int count) {
  std::vector<int32_t> tokens(count);
  for (int32_t& token : tokens) token = Uniform(random, 0, vocab - 1);
  return tokens;
}

// The device state of a few slots, each with a sampler of the CPU beside it.
class Slots {
 public:
  Slots(int slots, int vocab)
      : vocab_(vocab),
        sampling_(slots),
        marks_(int64_t{slots} * vocab),
        last_token_(slots, -1),
        samplers_(slots, SequenceSampler(vocab)) {}

  void Reset(int slot, const SamplingParams& params, const std::vector<int32_t>& prompt) {
    ASSERT_TRUE(Validate(params, vocab_).ok());
    samplers_[slot].Reset(params, prompt);
    params_.resize(samplers_.size());
    params_[slot] = params;
    ToSlotSampling(params, &sampling_.host[slot]);
    sampling_.Upload();
    Mark(slot, prompt, kMarkInPrompt);
    Mark(slot, params.suppressed_until_min, kMarkSuppressed);
  }

  SamplerState state() const {
    return {sampling_.device(), marks_.device(), last_token_.device(), vocab_};
  }
  SequenceSampler& sampler(int slot) { return samplers_[slot]; }
  const SamplingParams& params(int slot) const { return params_[slot]; }
  int32_t last_token(int slot) const { return last_token_.Download()[slot]; }

 private:
  void Mark(int slot, const std::vector<int32_t>& tokens, uint32_t mark) {
    TestArray<int32_t> array(static_cast<int64_t>(tokens.size()));
    array.host = tokens;
    array.Upload();
    Stream stream = NewStream();
    MarkTokens(stream, state(), slot, array.device(), static_cast<int32_t>(tokens.size()), mark);
    ASSERT_TRUE(stream.Synchronize().ok());
  }

  const int vocab_;
  TestArray<SlotSampling> sampling_;
  TestArray<uint32_t> marks_;
  TestArray<int32_t> last_token_;
  std::vector<SequenceSampler> samplers_;
  std::vector<SamplingParams> params_;
};

// One launch over all slots in a random order, one padding row among them.
void SampleAndCompare(std::mt19937_64& random, Logits kind, int slots, int vocab, Slots& state) {
  const int rows = slots + 1;
  TestArray<int32_t> slot_of(rows);
  for (int i = 0; i < rows; ++i) slot_of.host[i] = i - 1;
  std::shuffle(slot_of.host.begin(), slot_of.host.end(), random);
  slot_of.Upload();
  TestArray<float> logits(int64_t{rows} * vocab);
  for (float& logit : logits.host) logit = RandomLogit(random, kind);
  if (kind == Logits::kFarBelowOne) {
    for (int row = 0; row < rows; ++row) logits.host[row * vocab + vocab / 3] = 8.0f;
  }
  logits.Upload();
  TestArray<float> scratch(int64_t{rows} * vocab);
  TestArray<int32_t> token(rows, -7);
  TestArray<float> logprob(rows, -7.0f);
  TestArray<TokenLogprob> top(int64_t{rows} * kMaxTopLogprobs);
  Stream stream = NewStream();
  SampleTokens(stream, {.state = state.state(),
                        .logits = logits.device(),
                        .slot = slot_of.device(),
                        .scratch = scratch.device(),
                        .token = token.device(),
                        .logprob = logprob.device(),
                        .top_logprobs = top.device(),
                        .rows = rows});
  ASSERT_TRUE(stream.Synchronize().ok());
  scratch.Download();  // its guards
  const std::vector<int32_t> tokens = token.Download();
  const std::vector<float> logprobs = logprob.Download();
  const std::vector<TokenLogprob> tops = top.Download();
  for (int row = 0; row < rows; ++row) {
    const int slot = slot_of.host[row];
    if (slot < 0) {
      EXPECT_EQ(tokens[row], -7);
      continue;
    }
    std::vector<TokenLogprob> expected_tops;
    const absl::Span<float> own(&logits.host[int64_t{row} * vocab], vocab);
    const SampledToken expected = state.sampler(slot).Sample(own, &expected_tops);
    EXPECT_EQ(tokens[row], expected.token) << "row " << row << ", slot " << slot;
    EXPECT_EQ(state.last_token(slot), expected.token);
    EXPECT_TRUE(logprobs[row] == expected.logprob || std::abs(logprobs[row] - expected.logprob) <=
                                                         1e-6f * (1 + std::abs(expected.logprob)))
        << logprobs[row] << " is not " << expected.logprob;
    for (int i = 0; i < expected.top_count; ++i) {
      const TokenLogprob& actual = tops[row * kMaxTopLogprobs + i];
      EXPECT_EQ(actual.token, expected_tops[i].token) << "row " << row << ", place " << i;
      EXPECT_TRUE(actual.logprob == expected_tops[i].logprob ||
                  std::abs(actual.logprob - expected_tops[i].logprob) <=
                      1e-6f * (1 + std::abs(actual.logprob)));
    }
  }
}

void Compare(uint64_t seed, Logits kind, int vocab) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", vocab " << vocab);
  std::mt19937_64 random(seed);
  constexpr int kSlots = 2, kTokens = 3;
  Slots slots(kSlots, vocab);
  for (int slot = 0; slot < kSlots; ++slot) {
    const std::vector<int32_t> prompt =
        RandomTokens(random, vocab, Uniform(random, 0, std::min(vocab, 300)));
    slots.Reset(slot, RandomParams(random, vocab), prompt);
  }
  for (int i = 0; i < kTokens; ++i) SampleAndCompare(random, kind, kSlots, vocab, slots);
}

class SamplingTest : public testing::TestWithParam<Logits> {};

TEST_P(SamplingTest, ChoosesWhatTheCpuChooses) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    std::mt19937_64 random(seed);
    const int vocab = seed % 3 == 0 ? 4 * Uniform(random, 1, 1500) : Uniform(random, 1, 3000);
    Compare(seed, GetParam(), vocab);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, SamplingTest,
                         testing::Values(Logits::kNormal, Logits::kPeaked, Logits::kTied,
                                         Logits::kAllEqual, Logits::kFarBelowOne, Logits::kBroken,
                                         Logits::kNothing));

// More candidates in a bin of the boundary search than its list holds.
TEST(SamplingBoundaryTest, DescendsIntoCrowdedBins) {
  for (const Logits kind : {Logits::kAllEqual, Logits::kFarBelowOne, Logits::kTied}) {
    std::mt19937_64 random(5);
    constexpr int kVocab = 9000;
    Slots slots(2, kVocab);
    SamplingParams params = {.temperature = 50.0f, .top_k = 4000, .top_logprobs = 20};
    slots.Reset(0, params, {});
    params.top_k = 0;
    params.top_p = 0.6f;
    slots.Reset(1, params, {});
    for (int i = 0; i < 2; ++i) SampleAndCompare(random, kind, 2, kVocab, slots);
  }
}

// The order of additions does not matter, so neither does the order in which threads run.
TEST(SamplingTest, LargeVocabularyWithEverything) {
  std::mt19937_64 random(11);
  constexpr int kVocab = 60416;
  Slots slots(1, kVocab);
  const SamplingParams params = {.temperature = 0.8f,
                                 .top_k = 500,
                                 .top_p = 0.95f,
                                 .min_p = 0.001f,
                                 .repetition_penalty = 1.1f,
                                 .frequency_penalty = 0.2f,
                                 .seed = 3,
                                 .top_logprobs = 20};
  slots.Reset(0, params, RandomTokens(random, kVocab, 2000));
  for (int i = 0; i < 2; ++i) SampleAndCompare(random, Logits::kNormal, 1, kVocab, slots);
}

}  // namespace
}  // namespace memory3::cuda
