// The machine a measurement was taken on, in words and numbers that explain it.
#ifndef MEMORY3_TOOLS_MACHINE_INFO_H_
#define MEMORY3_TOOLS_MACHINE_INFO_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace memory3 {

struct MachineInfo {
  std::string cpu;                 // "AMD EPYC 9R45"; "unknown" where the kernel does not say
  int cores = 0;                   // this process may use
  double memory_gib = 0;           // of the machine
  std::vector<std::string> flags;  // the instruction sets that decide which kernels run
  std::string kernel;              // "Linux 6.1.0 x86_64"
};

MachineInfo DescribeMachine();

// The parts that come from text, apart so that they can be tested: contents of /proc/cpuinfo and
// /proc/meminfo.
std::string CpuModel(absl::string_view cpuinfo);
std::vector<std::string> CpuFlags(absl::string_view cpuinfo);
double TotalMemoryGib(absl::string_view meminfo);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_MACHINE_INFO_H_
