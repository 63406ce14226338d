#include "tools/machine_info.h"

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace memory3 {
namespace {

constexpr absl::string_view kTellingFlags[] = {"avx2",        "fma",         "f16c",     "avx512f",
                                               "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16",
                                               "amx_tile",    "asimd",       "bf16",     "sve"};

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// What follows "key :" in the first line with one of these keys; empty when there is none.
absl::string_view ValueOf(absl::string_view text, std::initializer_list<absl::string_view> keys) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    const absl::string_view key = absl::StripAsciiWhitespace(parts.first);
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) {
      return absl::StripAsciiWhitespace(parts.second);
    }
  }
  return {};
}

int UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}

}  // namespace

std::string CpuModel(absl::string_view cpuinfo) {
  const absl::string_view model = ValueOf(cpuinfo, {"model name", "Model", "cpu model"});
  return model.empty() ? "unknown" : std::string(model);
}

std::vector<std::string> CpuFlags(absl::string_view cpuinfo) {
  const std::vector<absl::string_view> present =
      absl::StrSplit(ValueOf(cpuinfo, {"flags", "Features"}), ' ', absl::SkipEmpty());
  std::vector<std::string> out;
  for (absl::string_view flag : kTellingFlags) {
    if (std::find(present.begin(), present.end(), flag) != present.end()) out.emplace_back(flag);
  }
  return out;
}

double TotalMemoryGib(absl::string_view meminfo) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(ValueOf(meminfo, {"MemTotal"}), ' ', absl::SkipEmpty());
  double kib = 0;
  if (words.empty() || !absl::SimpleAtod(words[0], &kib)) return 0;
  return kib / (1 << 20);
}

MachineInfo DescribeMachine() {
  const std::string cpuinfo = ReadFile("/proc/cpuinfo");
  MachineInfo info;
  info.cpu = CpuModel(cpuinfo);
  info.cores = UsableCores();
  info.memory_gib = TotalMemoryGib(ReadFile("/proc/meminfo"));
  info.flags = CpuFlags(cpuinfo);
  utsname name;
  if (uname(&name) == 0) {
    info.kernel = absl::StrCat(name.sysname, " ", name.release, " ", name.machine);
  }
  return info;
}

}  // namespace memory3
