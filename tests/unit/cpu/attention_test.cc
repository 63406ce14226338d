// Paged attention against a plain evaluation in double precision, and its independence of how the
// work is cut.
#include "engine/cpu/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/base/bfloat16.h"

namespace memory3 {
namespace {

struct Shape {
  int heads, kv_heads, head_dim;
};

constexpr int kBlockTokens = 16;
constexpr int kSequences = 3;
constexpr int kMaxTokens = 150;
constexpr int kMaxRows = 256;
constexpr int kLayers = 2;
constexpr int kLayer = 1;
constexpr double kTheta = 10000;

struct Piece {
  int sequence, first, count;
};

// The inputs of every token of every sequence are fixed by the seed; steps then run any pieces of
// them.
class AttentionBench {
 public:
  AttentionBench(const Shape& shape, DType dtype, CpuIsa isa, int threads, uint32_t seed)
      : shape_(shape),
        dtype_(dtype),
        stride_((shape.heads + 2 * shape.kv_heads) * shape.head_dim),
        pool_(threads),
        cache_({kLayers, shape.kv_heads, shape.head_dim, kBlockTokens, dtype}, kBlocks),
        attention_({shape.heads, kMaxRows, kSequences}, KernelsFor(isa), &pool_, cache_.shape()),
        angles_(Config(shape), kMaxRows),
        tables_(kSequences),
        out_(kSequences * kMaxTokens * QWidth()) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    inputs_.resize(kSequences * kMaxTokens * stride_);
    for (float& x : inputs_) x = 2 * normal(random);
    std::vector<KvBlockId> blocks(kBlocks);
    std::iota(blocks.begin(), blocks.end(), 0);
    std::shuffle(blocks.begin(), blocks.end(), random);
    for (int i = 0; i < kBlocks; ++i) tables_[i % kSequences].push_back(blocks[i]);
  }

  void Step(const std::vector<Piece>& pieces) {
    Batch batch;
    std::vector<float> qkv;
    const std::vector<int32_t> tokens(kMaxTokens, 0);
    for (const Piece& piece : pieces) {
      BatchSequence sequence;
      sequence.slot = piece.sequence;
      sequence.tokens = absl::MakeConstSpan(tokens).first(piece.count);
      sequence.first_position = piece.first;
      sequence.block_table = tables_[piece.sequence];
      for (int i = 0; i < piece.count; ++i) {
        angles_.Set(qkv.size() / stride_, piece.first + i);
        const float* input = Input(piece.sequence, piece.first + i);
        qkv.insert(qkv.end(), input, input + stride_);
      }
      batch.sequences.push_back(sequence);
    }
    std::vector<float> out(qkv.size() / stride_ * QWidth());
    attention_.Plan(batch, &cache_, nullptr);
    attention_.Run(kLayer, qkv.data(), angles_, out.data());
    const float* row = out.data();
    for (const Piece& piece : pieces) {
      std::copy_n(row, piece.count * QWidth(), Output(piece.sequence, piece.first));
      row += piece.count * QWidth();
    }
  }

  // Largest error of the token's output.
  double Error(int sequence, int position) {
    const int head_dim = shape_.head_dim;
    double worst = 0;
    for (int head = 0; head < shape_.heads; ++head) {
      const std::vector<double> query =
          Rotated(Input(sequence, position) + head * head_dim, position);
      const int kv_head = head / (shape_.heads / shape_.kv_heads);
      const int key_at = (shape_.heads + kv_head) * head_dim;
      const int value_at = key_at + shape_.kv_heads * head_dim;
      std::vector<double> weights;
      for (int p = 0; p <= position; ++p) {
        const std::vector<double> key = Rotated(Input(sequence, p) + key_at, p);
        double score = 0;
        for (int d = 0; d < head_dim; ++d) score += query[d] * Stored(key[d]);
        weights.push_back(score / std::sqrt(head_dim));
      }
      const double max = *std::max_element(weights.begin(), weights.end());
      double sum = 0;
      for (double& weight : weights) sum += weight = std::exp(weight - max);
      for (int d = 0; d < head_dim; ++d) {
        double expected = 0;
        for (int p = 0; p <= position; ++p) {
          expected += weights[p] / sum * Stored(Input(sequence, p)[value_at + d]);
        }
        const double got = Output(sequence, position)[head * head_dim + d];
        worst = std::max(worst, std::abs(got - expected));
      }
    }
    return worst;
  }

  const std::vector<float>& outputs() const { return out_; }

 private:
  static constexpr int kBlocks = kSequences * ((kMaxTokens + kBlockTokens - 1) / kBlockTokens);

  static ModelConfig Config(const Shape& shape) {
    ModelConfig config;
    config.heads = shape.heads;
    config.kv_heads = shape.kv_heads;
    config.head_dim = shape.head_dim;
    config.rope_theta = kTheta;
    return config;
  }
  int QWidth() const { return shape_.heads * shape_.head_dim; }
  const float* Input(int sequence, int position) const {
    return inputs_.data() + (sequence * kMaxTokens + position) * stride_;
  }
  float* Output(int sequence, int position) {
    return out_.data() + (sequence * kMaxTokens + position) * QWidth();
  }
  std::vector<double> Rotated(const float* x, int position) const {
    const int half = shape_.head_dim / 2;
    std::vector<double> out(shape_.head_dim);
    for (int i = 0; i < half; ++i) {
      const double angle = position * std::pow(kTheta, -2.0 * i / shape_.head_dim);
      out[i] = x[i] * std::cos(angle) - x[half + i] * std::sin(angle);
      out[half + i] = x[half + i] * std::cos(angle) + x[i] * std::sin(angle);
    }
    return out;
  }
  double Stored(double x) const {
    if (dtype_ == DType::kF32) return x;
    return FromBfloat16(ToBfloat16(static_cast<float>(x)));
  }

  const Shape shape_;
  const DType dtype_;
  const int stride_;
  ThreadPool pool_;
  KvCache cache_;
  CpuAttention attention_;
  RopeAngles angles_;
  std::vector<std::vector<KvBlockId>> tables_;
  std::vector<float> inputs_;
  std::vector<float> out_;
};

std::vector<CpuIsa> SupportedIsas() {
  std::vector<CpuIsa> isas;
  for (const CpuIsa isa : {CpuIsa::kPortable, CpuIsa::kAvx2, CpuIsa::kAvx512Bf16}) {
    if (IsSupported(isa)) isas.push_back(isa);
  }
  return isas;
}

constexpr Shape kShapes[] = {{4, 4, 6},  {2, 1, 10}, {8, 2, 16},
                             {8, 1, 64}, {5, 1, 80}, {40, 1, 12}};

TEST(AttentionTest, MatchesDoublePrecision) {
  for (const CpuIsa isa : SupportedIsas()) {
    for (const Shape& shape : kShapes) {
      for (const DType dtype : {DType::kF32, DType::kBF16}) {
        SCOPED_TRACE(testing::Message() << NameOf(isa) << " " << NameOf(dtype) << " head_dim "
                                        << shape.head_dim << " heads " << shape.heads);
        AttentionBench bench(shape, dtype, isa, 2, 17);
        bench.Step({{0, 0, 100}, {1, 0, 3}, {2, 0, 64}});
        bench.Step({{0, 100, 50}, {1, 3, 1}, {2, 64, 1}});
        // bf16: a key whose exact value lies on a rounding border may be stored one step off.
        const double tolerance = dtype == DType::kF32 ? 5e-5 : 3e-2;
        for (const int position : {0, 15, 16, 63, 64, 99, 100, 149}) {
          EXPECT_LT(bench.Error(0, position), tolerance) << position;
        }
        EXPECT_LT(bench.Error(1, 2), tolerance);
        EXPECT_LT(bench.Error(1, 3), tolerance);
        EXPECT_LT(bench.Error(2, 64), tolerance);
      }
    }
  }
}

TEST(AttentionTest, BitsDoNotDependOnHowTheWorkIsCut) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const CpuIsa isa : SupportedIsas()) {
    for (const Shape& shape : kShapes) {
      const DType dtype = random() % 2 ? DType::kF32 : DType::kBF16;
      AttentionBench whole(shape, dtype, isa, 1, seed);
      for (int s = 0; s < kSequences; ++s) whole.Step({{s, 0, kMaxTokens}});
      AttentionBench cut(shape, dtype, isa, 1 + random() % 3, seed);
      int done[kSequences] = {};
      while (*std::min_element(done, done + kSequences) < kMaxTokens) {
        std::vector<Piece> pieces;
        for (int s = 0; s < kSequences; ++s) {
          const int left = kMaxTokens - done[s];
          if (left == 0 || random() % 3 == 0) continue;
          const int count = random() % 2 ? 1 : 1 + random() % std::min(left, 80);
          pieces.push_back({s, done[s], count});
          done[s] += count;
        }
        if (!pieces.empty()) cut.Step(pieces);
      }
      EXPECT_EQ(whole.outputs(), cut.outputs()) << NameOf(isa) << " head_dim " << shape.head_dim;
    }
  }
}

}  // namespace
}  // namespace memory3
