// Makes of a function on values an opcode that executes it for the lanes of a warp:
//
//   Define<Add<uint32_t>>(table, "add.s32");
//
// The function's parameters and result say which bits of the registers are meant. Its result goes
// to the first register, its arguments come from the others.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_APPLY_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_APPLY_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "engine/cuda/emulator/opcodes.h"
#include "engine/cuda/emulator/warp.h"

namespace memory3::cuda::emulator {

template <typename T>
T FromBits(uint64_t bits) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(static_cast<uint32_t>(bits));
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<double>(bits);
  } else if constexpr (std::is_same_v<T, bool>) {
    return bits != 0;
  } else {
    return static_cast<T>(bits);
  }
}

template <typename T>
uint64_t ToBits(T value) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<uint32_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<uint64_t>(value);
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? 1 : 0;
  } else {
    return static_cast<std::make_unsigned_t<T>>(value);
  }
}

template <auto kFunction>
struct Applied;

template <typename Result, typename... Arguments, Result (*kFunction)(Arguments...)>
struct Applied<kFunction> {
  static constexpr int8_t kOperands = 1 + sizeof...(Arguments);
  static void Execute(Warp& warp, const Instruction& instruction, uint32_t lanes) {
    Run(warp, instruction, lanes, std::index_sequence_for<Arguments...>());
  }

 private:
  template <size_t... kIndex>
  static void Run(Warp& warp, const Instruction& instruction, uint32_t lanes,
                  std::index_sequence<kIndex...>) {
    uint64_t* const result = warp.lanes(instruction.registers[0]);
    const uint64_t* const arguments[] = {warp.lanes(instruction.registers[1 + kIndex])...};
    ForLanes(lanes, [&](int lane) {
      result[lane] = ToBits<Result>(kFunction(FromBits<Arguments>(arguments[kIndex][lane])...));
    });
  }
};

template <auto kFunction>
void Define(OpcodeTable& table, const char* name) {
  table[name] = {.execute = &Applied<kFunction>::Execute,
                 .operands = Applied<kFunction>::kOperands};
}

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_APPLY_H_
