#include "retrieval/base/exact_math.h"

#include <bit>
#include <cstdint>

namespace memory3 {

double ExactLog(double x) {
  constexpr uint64_t kMantissa = (uint64_t{1} << 52) - 1, kOneBits = uint64_t{1023} << 52;
  constexpr double kSqrt2 = 1.4142135623730951, kLn2 = 0.6931471805599453;
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & kMantissa) | kOneBits);
  if (mantissa > kSqrt2) {
    mantissa /= 2;
    ++exponent;
  }
  // ln m = 2 artanh((m - 1) / (m + 1)), whose argument is at most 0.172 here.
  constexpr int kTerms = 11;
  const double z = (mantissa - 1) / (mantissa + 1);
  double sum = 0;
  for (int term = kTerms; term >= 0; --term) sum = sum * (z * z) + 1.0 / (2 * term + 1);
  return exponent * kLn2 + 2 * z * sum;
}

}  // namespace memory3
