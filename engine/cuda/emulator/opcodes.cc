#include "engine/cuda/emulator/opcodes.h"

#include "engine/cuda/emulator/warp.h"

namespace memory3::cuda::emulator {
namespace {

void Nothing(Warp& /*warp*/, const Instruction& /*instruction*/, uint32_t /*lanes*/) {}

void LetNextStart(Warp& warp, const Instruction& /*instruction*/, uint32_t lanes) {
  warp.LetNextStart(lanes);
}

OpcodeTable MakeTable() {
  OpcodeTable table;
  AddArithmetic(table);
  AddConversions(table);
  AddWarpFunctions(table);
  AddControlFlow(table);
  return table;
}

}  // namespace

void AddControlFlow(OpcodeTable& table) {
  table["bra"] = table["bra.uni"] = {.flow = Flow::kBranch};
  table["ret"] = table["exit"] = {.flow = Flow::kExit};
  table["bar.sync"] = {.flow = Flow::kBlockBarrier, .together = true};
  table["griddepcontrol.wait"] = {.flow = Flow::kGridWait, .together = true};
  table["griddepcontrol.launch_dependents"] = {.execute = &LetNextStart};
  // Blocks run one after the other: all is seen at once.
  table["membar.gl"] = {.execute = &Nothing};
}

std::optional<Opcode> FindOpcode(absl::string_view name) {
  static const auto* const table = new OpcodeTable(MakeTable());
  const auto found = table->find(std::string(name));
  if (found != table->end()) return found->second;
  return MemoryOpcode(name);
}

}  // namespace memory3::cuda::emulator
