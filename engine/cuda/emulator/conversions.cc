// Moves and conversions.
#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/base/bfloat16.h"
#include "engine/cuda/emulator/apply.h"
#include "engine/cuda/emulator/fail.h"
#include "engine/cuda/emulator/opcodes.h"

namespace memory3::cuda::emulator {
namespace {

uint64_t Copy(uint64_t a) { return a; }

template <typename To, typename From>
To Convert(From a) {
  return static_cast<To>(a);
}

float Saturate(float a) { return a > 0 ? std::fmin(a, 1.0f) : 0.0f; }  // NaN to 0
double RoundUp(double a) { return std::ceil(a); }
uint16_t RoundToBfloat16(float a) { return ToBfloat16(a); }

// Towards zero; what does not fit becomes the nearest that does.
template <typename From>
uint64_t Truncate(From a) {
  if (!(a > 0)) return 0;
  constexpr From kEnd = 18446744073709551616.0;  // 2^64
  return a >= kEnd ? std::numeric_limits<uint64_t>::max() : static_cast<uint64_t>(a);
}

uint32_t JoinHalves(uint16_t low, uint16_t high) { return uint32_t{high} << 16 | low; }
uint64_t JoinWords(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

template <typename Part>
void Split(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const auto& registers = instruction.registers;
  ForLanes(lanes, [&](int lane) {
    const uint64_t whole = warp.lanes(registers[2])[lane];
    warp.lanes(registers[0])[lane] = static_cast<Part>(whole);
    warp.lanes(registers[1])[lane] = static_cast<Part>(whole >> (8 * sizeof(Part)));
  });
}

}  // namespace

void AddConversions(OpcodeTable& table) {
  for (const char* name : {"mov.pred", "mov.u16", "mov.b16", "mov.b32", "mov.u32", "mov.s32",
                           "mov.f32", "mov.b64", "mov.u64", "mov.s64", "mov.f64"}) {
    Define<Copy>(table, name);
  }
  Define<Copy>(table, "cvta.to.global.u64");  // generic addresses already
  // mov d, {low, high} and mov {low, high}, a: the parser tells them apart.
  Define<JoinHalves>(table, "mov.b32.join");
  Define<JoinWords>(table, "mov.b64.join");
  table["mov.b32.split"] = {.execute = &Split<uint16_t>, .operands = 3};
  table["mov.b64.split"] = {.execute = &Split<uint32_t>, .operands = 3};
  Define<Convert<int64_t, int32_t>>(table, "cvt.s64.s32");
  Define<Convert<uint64_t, uint32_t>>(table, "cvt.u64.u32");
  Define<Convert<uint32_t, uint64_t>>(table, "cvt.u32.u64");
  Define<Convert<uint32_t, uint16_t>>(table, "cvt.u32.u16");
  Define<Convert<uint16_t, uint32_t>>(table, "cvt.u16.u32");
  Define<Convert<float, uint32_t>>(table, "cvt.rn.f32.u32");
  Define<Convert<float, int32_t>>(table, "cvt.rn.f32.s32");
  Define<Convert<float, double>>(table, "cvt.rn.f32.f64");
  Define<Convert<double, float>>(table, "cvt.f64.f32");
  Define<Convert<double, uint64_t>>(table, "cvt.rn.f64.u64");
  Define<Saturate>(table, "cvt.sat.f32.f32");
  Define<RoundUp>(table, "cvt.rpi.f64.f64");
  Define<Truncate<float>>(table, "cvt.rzi.u64.f32");
  Define<Truncate<double>>(table, "cvt.rzi.u64.f64");
  Define<RoundToBfloat16>(table, "cvt.rn.bf16.f32");
}

}  // namespace memory3::cuda::emulator
