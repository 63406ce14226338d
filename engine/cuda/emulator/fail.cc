#include "engine/cuda/emulator/fail.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/cuda/emulator/warp.h"

namespace memory3::cuda::emulator {
namespace {

thread_local const Warp* running_warp = nullptr;
thread_local const Instruction* running_instruction = nullptr;
thread_local int running_lane = -1;

}  // namespace

void SetRunning(const Warp* warp, const Instruction* instruction) {
  running_warp = warp;
  running_instruction = instruction;
  running_lane = -1;
}

void SetRunningLane(int lane) { running_lane = lane; }

void Fail(absl::string_view what) {
  std::string where;
  if (running_warp != nullptr) {
    const Index3 block = running_warp->block();
    absl::StrAppend(&where, "\n  in ", running_warp->launch().function->name, "\n  block (",
                    block.x, ", ", block.y, ", ", block.z, "), ",
                    running_lane >= 0 ? "thread " : "the warp of thread ",
                    running_warp->ThreadOf(running_lane >= 0 ? running_lane : 0));
  }
  if (running_instruction != nullptr) {
    absl::StrAppend(&where, "\n  line ", running_instruction->line, " of the module's PTX");
  }
  std::fprintf(stderr, "CUDA emulator: %.*s%s\n", static_cast<int>(what.size()), what.data(),
               where.c_str());
  std::abort();
}

}  // namespace memory3::cuda::emulator
