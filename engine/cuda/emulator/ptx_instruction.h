// One decoded PTX instruction, and the 32 threads that execute it together.
//
// Every value is 64 bits wide per lane, however narrow its type: instructions look at the bits that
// their type names. What is not a register in the text (a constant, %tid.x, the address of shared
// memory) is a register here that is filled before the first instruction.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_PTX_INSTRUCTION_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_PTX_INSTRUCTION_H_

#include <array>
#include <bit>
#include <cstdint>

namespace memory3::cuda::emulator {

inline constexpr int kLanes = 32;
inline constexpr uint32_t kAllLanes = 0xFFFFFFFFu;

class Warp;
struct Instruction;

// Executes an instruction for the lanes whose bit is set.
using Execute = void (*)(Warp& warp, const Instruction& instruction, uint32_t lanes);

// What comes after an instruction.
enum class Flow : uint8_t { kNext, kBranch, kExit, kBlockBarrier, kGridWait };

enum class Space : uint8_t { kGeneric, kGlobal, kShared, kParameters };

// What the text before the operands says.
struct Opcode {
  Execute execute = nullptr;  // null where Flow says all
  Flow flow = Flow::kNext;
  bool together = false;  // by all lanes of the warp that have not ended
  int8_t operands = -1;   // flattened as in Instruction; -1: not checked
  // Of loads, stores and atomic operations.
  Space space = Space::kGeneric;
  int8_t element_bytes = 0;
  int8_t elements = 0;
  bool is_signed = false;
};

struct Instruction {
  Opcode opcode;
  // In the order of the text, groups and pairs flattened; of an address its base.
  std::array<int32_t, 14> registers = {};
  int8_t register_count = 0;
  std::array<int64_t, 2> offsets = {};  // of the addresses, bytes from their bases
  int32_t target = 0;                   // of a branch: index of an instruction
  int32_t guard = -1;                   // predicate register, -1: always
  bool guard_negated = false;
  int32_t line = 0;  // of the module's text
};

template <typename Function>
void ForLanes(uint32_t lanes, Function&& function) {
  if (lanes == kAllLanes) {
    for (int lane = 0; lane < kLanes; ++lane) function(lane);
    return;
  }
  for (; lanes != 0; lanes &= lanes - 1) function(std::countr_zero(lanes));
}

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_PTX_INSTRUCTION_H_
