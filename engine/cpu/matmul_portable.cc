// Matrix products in plain C++, for machines without the instruction sets of the other units.
#include <cstring>

#include "engine/base/bfloat16.h"
#include "engine/cpu/matmul_tile.h"

namespace memory3 {
namespace {

constexpr int kWidth = 8;  // outputs of one pass

struct Lanes {
  float v[kWidth];
};

struct Base {
  using Acc = Lanes;
  static constexpr int kVectors = 1;
  static constexpr int kLanes = kWidth;
  static Acc Zero() { return {}; }
  static void Store(float* to, const Acc& acc) { std::memcpy(to, acc.v, sizeof(acc.v)); }
};

struct Bf16 : Base {
  struct Weights {
    float even[kWidth], odd[kWidth];
  };
  struct Input {
    float even, odd;
  };
  static Weights LoadWeights(const uint8_t* from) {
    uint16_t pairs[2 * kWidth];
    std::memcpy(pairs, from, sizeof(pairs));
    Weights w;
    for (int i = 0; i < kWidth; ++i) {
      w.even[i] = FromBfloat16(pairs[2 * i]);
      w.odd[i] = FromBfloat16(pairs[2 * i + 1]);
    }
    return w;
  }
  static Input LoadInput(const uint8_t* from) {
    uint16_t pair[2];
    std::memcpy(pair, from, sizeof(pair));
    return {FromBfloat16(pair[0]), FromBfloat16(pair[1])};
  }
  static void MultiplyAdd(Acc (&acc)[1], const Weights& w, const Input& x) {
    for (int i = 0; i < kWidth; ++i) {
      acc[0].v[i] += w.even[i] * x.even;
      acc[0].v[i] += w.odd[i] * x.odd;
    }
  }
};

struct F32 : Base {
  using Weights = Lanes;
  using Input = float;
  static Weights LoadWeights(const uint8_t* from) {
    Weights w;
    std::memcpy(w.v, from, sizeof(w.v));
    return w;
  }
  static Input LoadInput(const uint8_t* from) {
    float x;
    std::memcpy(&x, from, sizeof(x));
    return x;
  }
  static void MultiplyAdd(Acc (&acc)[1], const Weights& w, Input x) {
    for (int i = 0; i < kWidth; ++i) acc[0].v[i] += w.v[i] * x;
  }
};

constexpr int kTileRows = 4;

}  // namespace

const MatMulKernels kPortableMatMulKernels = {RunTile<Bf16, kTileRows>, RunTile<F32, kTileRows>,
                                              kTileRows};

}  // namespace memory3
