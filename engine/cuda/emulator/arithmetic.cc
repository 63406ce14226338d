// Arithmetic, logic, comparison and selection.
#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "engine/cuda/emulator/apply.h"
#include "engine/cuda/emulator/fail.h"
#include "engine/cuda/emulator/opcodes.h"

namespace memory3::cuda::emulator {
namespace {

template <typename T>
T Add(T a, T b) {
  return a + b;
}
template <typename T>
T Subtract(T a, T b) {
  return a - b;
}
template <typename T>
T Multiply(T a, T b) {
  return a * b;
}
template <typename T>
T Negate(T a) {
  return -a;
}

template <typename T>
T Divide(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) Fail("an integer is divided by zero");
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return static_cast<T>(-static_cast<std::make_unsigned_t<T>>(a));
    }
  }
  return a / b;
}
template <typename T>
T Remainder(T a, T b) {
  if (b == 0) Fail("an integer is divided by zero");
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
  }
  return a % b;
}

// The other operand where one is NaN.
template <typename T>
T Min(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::fmin(a, b);
  return std::min(a, b);
}
template <typename T>
T Max(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::fmax(a, b);
  return std::max(a, b);
}

int32_t MultiplyHigh(int32_t a, int32_t b) { return static_cast<int32_t>((int64_t{a} * b) >> 32); }
int64_t MultiplyWide(int32_t a, int32_t b) { return int64_t{a} * b; }
uint64_t MultiplyWideUnsigned(uint32_t a, uint32_t b) { return uint64_t{a} * b; }
uint32_t MultiplyAdd(uint32_t a, uint32_t b, uint32_t c) { return a * b + c; }

template <typename T>
T Fma(T a, T b, T c) {
  return std::fma(a, b, c);
}
// Rounded towards minus infinity. The product of two floats is exact in a double; of the sum the
// rounding error is known.
float FmaDown(float a, float b, float c) {
  const double product = double{a} * b;
  const double sum = product + c;
  const double from_c = sum - product;
  const double error = (product - (sum - from_c)) + (c - from_c);
  const auto nearest = static_cast<float>(sum);
  if (!std::isfinite(nearest)) return nearest;
  const bool above = nearest > sum || (nearest == sum && error < 0);
  return above ? std::nextafterf(nearest, -std::numeric_limits<float>::infinity()) : nearest;
}

template <typename T>
T Reciprocal(T a) {
  return 1 / a;
}
// The upper half of the reciprocal's bits; who uses it refines it.
double ReciprocalHigh(double a) {
  return std::bit_cast<double>(std::bit_cast<uint64_t>(1 / a) & 0xFFFFFFFF00000000u);
}
float SquareRoot(float a) { return std::sqrt(a); }
float FlushDenormal(float a) { return std::abs(a) < FLT_MIN ? std::copysign(0.0f, a) : a; }
float PowerOf2(float a) { return std::exp2(a); }
float PowerOf2Flushed(float a) { return FlushDenormal(std::exp2(FlushDenormal(a))); }

template <typename T>
T And(T a, T b) {
  return a & b;
}
template <typename T>
T Or(T a, T b) {
  return a | b;
}
template <typename T>
T Xor(T a, T b) {
  return a ^ b;
}
template <typename T>
T Not(T a) {
  return ~a;
}
template <>
bool Not(bool a) {
  return !a;
}

// Shifts by more than the width give what shifting bit by bit would.
template <typename T>
T ShiftLeft(T a, uint32_t by) {
  return by >= 8 * sizeof(T) ? 0 : a << by;
}
template <typename T>
T ShiftRight(T a, uint32_t by) {
  constexpr uint32_t kBits = 8 * sizeof(T);
  if constexpr (std::is_signed_v<T>) return a >> std::min(by, kBits - 1);
  return by >= kBits ? 0 : a >> by;
}

template <typename T>
T InsertBits(T from, T into, uint32_t position, uint32_t count) {
  constexpr uint32_t kBits = 8 * sizeof(T);
  position &= 0xFF;
  count &= 0xFF;
  if (count == 0 || position >= kBits) return into;
  const T field = count >= kBits ? ~T{0} : (T{1} << count) - 1;
  const T mask = field << position;
  return (into & ~mask) | ((from << position) & mask);
}
// Four bytes picked from the eight of (b, a) by the nibbles of `selector`; with bit 3 of a nibble
// the byte's sign everywhere.
uint32_t PermuteBytes(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t both = uint64_t{b} << 32 | a;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t nibble = selector >> (4 * i) & 0xF;
    auto byte = static_cast<uint8_t>(both >> (8 * (nibble & 7)));
    if ((nibble & 8) != 0) byte = (byte & 0x80) != 0 ? 0xFF : 0;
    result |= uint32_t{byte} << (8 * i);
  }
  return result;
}
uint32_t CountLeadingZeros(uint32_t a) { return std::countl_zero(a); }

// Ordered comparisons are false where an operand is NaN, unordered ones true.
template <typename T>
bool Equal(T a, T b) {
  return a == b;
}
template <typename T>
bool NotEqual(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a < b || a > b;
  return a != b;
}
template <typename T>
bool Less(T a, T b) {
  return a < b;
}
template <typename T>
bool LessOrEqual(T a, T b) {
  return a <= b;
}
template <typename T>
bool Greater(T a, T b) {
  return a > b;
}
template <typename T>
bool GreaterOrEqual(T a, T b) {
  return a >= b;
}
template <typename T>
bool UnorderedNotEqual(T a, T b) {
  return !(a == b);
}
template <typename T>
bool UnorderedLess(T a, T b) {
  return !(a >= b);
}
template <typename T>
bool UnorderedLessOrEqual(T a, T b) {
  return !(a > b);
}
template <typename T>
bool UnorderedGreater(T a, T b) {
  return !(a <= b);
}
template <typename T>
bool UnorderedGreaterOrEqual(T a, T b) {
  return !(a < b);
}
template <typename T>
bool Numbers(T a, T b) {
  return !std::isnan(a) && !std::isnan(b);
}
template <typename T>
bool NotNumbers(T a, T b) {
  return std::isnan(a) || std::isnan(b);
}

uint64_t Select(uint64_t a, uint64_t b, bool first) { return first ? a : b; }

template <typename T>
void DefineComparisons(OpcodeTable& table, const std::string& type) {
  const auto define = [&]<auto kFunction>(const char* name) {
    Define<kFunction>(table, ("setp." + std::string(name) + "." + type).c_str());
  };
  define.template operator()<Equal<T>>("eq");
  define.template operator()<NotEqual<T>>("ne");
  define.template operator()<Less<T>>("lt");
  define.template operator()<LessOrEqual<T>>("le");
  define.template operator()<Greater<T>>("gt");
  define.template operator()<GreaterOrEqual<T>>("ge");
  if constexpr (std::is_floating_point_v<T>) {
    define.template operator()<UnorderedNotEqual<T>>("neu");
    define.template operator()<UnorderedLess<T>>("ltu");
    define.template operator()<UnorderedLessOrEqual<T>>("leu");
    define.template operator()<UnorderedGreater<T>>("gtu");
    define.template operator()<UnorderedGreaterOrEqual<T>>("geu");
    define.template operator()<Numbers<T>>("num");
    define.template operator()<NotNumbers<T>>("nan");
  }
}

void AddIntegers(OpcodeTable& table) {
  Define<Add<uint32_t>>(table, "add.s32");
  Define<Add<uint64_t>>(table, "add.s64");
  Define<Subtract<uint32_t>>(table, "sub.s32");
  Define<Subtract<uint64_t>>(table, "sub.s64");
  Define<Multiply<uint32_t>>(table, "mul.lo.s32");
  Define<Multiply<uint64_t>>(table, "mul.lo.s64");
  Define<MultiplyHigh>(table, "mul.hi.s32");
  Define<MultiplyWide>(table, "mul.wide.s32");
  Define<MultiplyWideUnsigned>(table, "mul.wide.u32");
  Define<MultiplyAdd>(table, "mad.lo.s32");
  Define<Divide<int32_t>>(table, "div.s32");
  Define<Divide<uint32_t>>(table, "div.u32");
  Define<Divide<uint64_t>>(table, "div.u64");
  Define<Remainder<int32_t>>(table, "rem.s32");
  Define<Remainder<uint32_t>>(table, "rem.u32");
  Define<Negate<uint32_t>>(table, "neg.s32");
  Define<Min<int32_t>>(table, "min.s32");
  Define<Min<uint32_t>>(table, "min.u32");
  Define<Max<int32_t>>(table, "max.s32");
  Define<Max<uint32_t>>(table, "max.u32");
  Define<Max<uint64_t>>(table, "max.u64");
}

void AddBits(OpcodeTable& table) {
  Define<And<uint16_t>>(table, "and.b16");
  Define<And<uint32_t>>(table, "and.b32");
  Define<And<uint64_t>>(table, "and.b64");
  Define<And<bool>>(table, "and.pred");
  Define<Or<uint16_t>>(table, "or.b16");
  Define<Or<uint32_t>>(table, "or.b32");
  Define<Or<uint64_t>>(table, "or.b64");
  Define<Or<bool>>(table, "or.pred");
  Define<Xor<uint32_t>>(table, "xor.b32");
  Define<Xor<uint64_t>>(table, "xor.b64");
  Define<Xor<bool>>(table, "xor.pred");
  Define<Not<uint32_t>>(table, "not.b32");
  Define<Not<bool>>(table, "not.pred");
  Define<ShiftLeft<uint32_t>>(table, "shl.b32");
  Define<ShiftLeft<uint64_t>>(table, "shl.b64");
  Define<ShiftRight<int32_t>>(table, "shr.s32");
  Define<ShiftRight<uint32_t>>(table, "shr.u32");
  Define<ShiftRight<uint64_t>>(table, "shr.u64");
  Define<InsertBits<uint32_t>>(table, "bfi.b32");
  Define<InsertBits<uint64_t>>(table, "bfi.b64");
  Define<PermuteBytes>(table, "prmt.b32");
  Define<CountLeadingZeros>(table, "clz.b32");
}

template <typename T>
void AddReals(OpcodeTable& table, const std::string& type) {
  const auto define = [&]<auto kFunction>(const std::string& name) {
    Define<kFunction>(table, (name + type).c_str());
  };
  for (const char* rounding : {"", ".rn"}) {
    define.template operator()<Add<T>>("add" + std::string(rounding));
    define.template operator()<Subtract<T>>("sub" + std::string(rounding));
    define.template operator()<Multiply<T>>("mul" + std::string(rounding));
  }
  define.template operator()<Fma<T>>("fma.rn");
  define.template operator()<Divide<T>>("div.rn");
  define.template operator()<Reciprocal<T>>("rcp.rn");
  define.template operator()<Negate<T>>("neg");
  define.template operator()<Min<T>>("min");
  define.template operator()<Max<T>>("max");
}

}  // namespace

void AddArithmetic(OpcodeTable& table) {
  AddIntegers(table);
  AddBits(table);
  AddReals<float>(table, ".f32");
  AddReals<double>(table, ".f64");
  Define<FmaDown>(table, "fma.rm.f32");
  Define<ReciprocalHigh>(table, "rcp.approx.ftz.f64");
  Define<SquareRoot>(table, "sqrt.rn.f32");
  Define<PowerOf2>(table, "ex2.approx.f32");
  Define<PowerOf2Flushed>(table, "ex2.approx.ftz.f32");

  DefineComparisons<int16_t>(table, "s16");
  DefineComparisons<uint16_t>(table, "u16");
  DefineComparisons<int32_t>(table, "s32");
  DefineComparisons<uint32_t>(table, "u32");
  DefineComparisons<uint32_t>(table, "b32");
  DefineComparisons<int64_t>(table, "s64");
  DefineComparisons<uint64_t>(table, "u64");
  DefineComparisons<uint64_t>(table, "b64");
  DefineComparisons<float>(table, "f32");
  DefineComparisons<double>(table, "f64");
  for (const char* name : {"selp.u16", "selp.b32", "selp.u32", "selp.s32", "selp.f32", "selp.b64",
                           "selp.u64", "selp.s64", "selp.f64"}) {
    Define<Select>(table, name);
  }
}

}  // namespace memory3::cuda::emulator
