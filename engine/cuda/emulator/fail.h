// The end of a program whose kernel did what a device would punish, or not notice.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_FAIL_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_FAIL_H_

#include "absl/strings/string_view.h"

namespace memory3::cuda::emulator {

class Warp;
struct Instruction;

// Says what, in which kernel, block, thread and line of PTX, and aborts.
[[noreturn]] void Fail(absl::string_view what);

// Who runs now, for Fail. Null: nobody.
void SetRunning(const Warp* warp, const Instruction* instruction);
void SetRunningLane(int lane);

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_FAIL_H_
