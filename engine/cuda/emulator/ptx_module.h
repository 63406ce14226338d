// PTX text as nvcc writes it, decoded for execution.
//
// Source: PTX ISA 9.0. Only what our kernels use is understood; anything else is named, with its
// line, when a kernel that uses it is first launched.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_PTX_MODULE_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_PTX_MODULE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "engine/cuda/emulator/ptx_instruction.h"

namespace memory3::cuda::emulator {

enum class Special : uint8_t {
  kThreadX,
  kBlockX,
  kBlockY,
  kBlockZ,
  kThreadsX,
  kBlocksX,
  kBlocksY,
  kBlocksZ,
};

struct Parameter {
  int32_t offset = 0;
  int32_t bytes = 0;
};

struct Function {
  std::string name;
  std::vector<Parameter> parameters;
  int32_t parameter_bytes = 0;
  int32_t most_threads = 1024;  // of a block, by __launch_bounds__
  std::vector<Instruction> instructions;
  int32_t registers = 0;
  std::vector<std::pair<int32_t, uint64_t>> constants;  // register, value
  std::vector<std::pair<int32_t, Special>> specials;    // register, what it holds
};

class Module {
 public:
  explicit Module(absl::string_view text);

  // Null when the module has none of that name. Valid as long as the module.
  const Function* Find(const std::string& name);

 private:
  const std::string text_;  // without comments
  std::map<std::string, std::unique_ptr<Function>> functions_;
};

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_PTX_MODULE_H_
