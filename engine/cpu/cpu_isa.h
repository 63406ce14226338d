// The instruction sets the CPU kernels are compiled for, and which of them this machine has.
#ifndef MEMORY3_ENGINE_CPU_CPU_ISA_H_
#define MEMORY3_ENGINE_CPU_CPU_ISA_H_

#include <cstdint>
#include <string_view>

namespace memory3 {

enum class CpuIsa : uint8_t { kPortable, kAvx2, kAvx512Bf16 };

std::string_view NameOf(CpuIsa isa);  // "avx512_bf16"
bool IsSupported(CpuIsa isa);         // by this machine and this build
CpuIsa BestIsa();

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_CPU_ISA_H_
