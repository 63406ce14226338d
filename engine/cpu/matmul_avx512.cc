// Matrix products for AVX-512 with BF16. Compiled with the flags for it; see matmul_tile.h for what
// may be included. vdpbf16ps treats subnormal inputs and results as zero and rounds to nearest
// even.
#include <immintrin.h>

#include <cstring>

#include "engine/cpu/matmul_tile.h"

namespace memory3 {
namespace {

struct Base {
  using Acc = __m512;
  static constexpr int kVectors = 2;
  static constexpr int kLanes = 16;
  static Acc Zero() { return _mm512_setzero_ps(); }
  static void Store(float* to, Acc acc) { _mm512_storeu_ps(to, acc); }
};

struct Bf16 : Base {
  struct Weights {
    __m512bh low, high;
  };
  using Input = __m512bh;
  static Weights LoadWeights(const uint8_t* from) {
    return {reinterpret_cast<__m512bh>(_mm512_load_si512(from)),
            reinterpret_cast<__m512bh>(_mm512_load_si512(from + 64))};
  }
  static Input LoadInput(const uint8_t* from) {
    int pair;
    std::memcpy(&pair, from, sizeof(pair));
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
  }
  static void MultiplyAdd(Acc (&acc)[2], const Weights& w, Input x) {
    acc[0] = _mm512_dpbf16_ps(acc[0], w.low, x);
    acc[1] = _mm512_dpbf16_ps(acc[1], w.high, x);
  }
};

struct F32 : Base {
  struct Weights {
    __m512 low, high;
  };
  using Input = __m512;
  static Weights LoadWeights(const uint8_t* from) {
    return {_mm512_load_ps(from), _mm512_load_ps(from + 64)};
  }
  static Input LoadInput(const uint8_t* from) {
    float x;
    std::memcpy(&x, from, sizeof(x));
    return _mm512_set1_ps(x);
  }
  static void MultiplyAdd(Acc (&acc)[2], const Weights& w, Input x) {
    acc[0] = _mm512_fmadd_ps(w.low, x, acc[0]);
    acc[1] = _mm512_fmadd_ps(w.high, x, acc[1]);
  }
};

constexpr int kTileRows = 12;  // 24 accumulators, 2 weights, 6 left for inputs

}  // namespace

const MatMulKernels kAvx512MatMulKernels = {RunTile<Bf16, kTileRows>, RunTile<F32, kTileRows>,
                                            kTileRows};

}  // namespace memory3
