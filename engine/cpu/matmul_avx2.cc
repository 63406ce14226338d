// Matrix products for AVX2 with FMA. Compiled with the flags for it; see matmul_tile.h for what may
// be included. bf16 is widened to f32: the even input of a pair is the upper half of its 32 bits
// after a shift, the odd one after a mask.
#include <immintrin.h>

#include <cstring>

#include "engine/cpu/matmul_tile.h"

namespace memory3 {
namespace {

__m256 Even(__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); }
__m256 Odd(__m256i pairs) {
  return _mm256_castsi256_ps(
      _mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xFFFF0000u))));
}

struct Base {
  using Acc = __m256;
  static constexpr int kVectors = 2;
  static constexpr int kLanes = 8;
  static Acc Zero() { return _mm256_setzero_ps(); }
  static void Store(float* to, Acc acc) { _mm256_storeu_ps(to, acc); }
};

struct Bf16 : Base {
  struct Weights {
    __m256 even[2], odd[2];
  };
  struct Input {
    __m256 even, odd;
  };
  static Weights LoadWeights(const uint8_t* from) {
    const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(from + 32));
    return {{Even(low), Even(high)}, {Odd(low), Odd(high)}};
  }
  static Input LoadInput(const uint8_t* from) {
    int pair;
    std::memcpy(&pair, from, sizeof(pair));
    const __m256i pairs = _mm256_set1_epi32(pair);
    return {Even(pairs), Odd(pairs)};
  }
  static void MultiplyAdd(Acc (&acc)[2], const Weights& w, const Input& x) {
    for (int v = 0; v < 2; ++v) {
      acc[v] = _mm256_fmadd_ps(w.even[v], x.even, acc[v]);
      acc[v] = _mm256_fmadd_ps(w.odd[v], x.odd, acc[v]);
    }
  }
};

struct F32 : Base {
  struct Weights {
    __m256 v[2];
  };
  using Input = __m256;
  static Weights LoadWeights(const uint8_t* from) {
    const float* weights = reinterpret_cast<const float*>(from);
    return {{_mm256_load_ps(weights), _mm256_load_ps(weights + 8)}};
  }
  static Input LoadInput(const uint8_t* from) {
    float x;
    std::memcpy(&x, from, sizeof(x));
    return _mm256_set1_ps(x);
  }
  static void MultiplyAdd(Acc (&acc)[2], const Weights& w, Input x) {
    for (int v = 0; v < 2; ++v) acc[v] = _mm256_fmadd_ps(w.v[v], x, acc[v]);
  }
};

constexpr int kTileRows = 4;  // 8 accumulators, 4 weights, 2 inputs of 16 registers

}  // namespace

const MatMulKernels kAvx2MatMulKernels = {RunTile<Bf16, kTileRows>, RunTile<F32, kTileRows>,
                                          kTileRows};

}  // namespace memory3
