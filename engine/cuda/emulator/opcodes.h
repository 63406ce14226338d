// What an opcode ("add.s32", "ld.global.v4.u32") does.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_OPCODES_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_OPCODES_H_

#include <optional>
#include <string>
#include <unordered_map>

#include "absl/strings/string_view.h"
#include "engine/cuda/emulator/ptx_instruction.h"

namespace memory3::cuda::emulator {

using OpcodeTable = std::unordered_map<std::string, Opcode>;

// One table per file: operations on registers; those of whole warps; control flow and
// synchronisation.
void AddArithmetic(OpcodeTable& table);
void AddConversions(OpcodeTable& table);
void AddWarpFunctions(OpcodeTable& table);
void AddControlFlow(OpcodeTable& table);

// Loads, stores and atomic operations by their parts; absent for other opcodes.
std::optional<Opcode> MemoryOpcode(absl::string_view name);

// Absent when nobody knows it.
std::optional<Opcode> FindOpcode(absl::string_view name);

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_OPCODES_H_
