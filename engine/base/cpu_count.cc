#include "engine/base/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

namespace memory3 {
namespace {

int CoresInAffinityMask() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

// cgroup v2 cpu.max: "max 100000" or "<quota> <period>" in microseconds. 0 when there is no limit.
int CoresInCgroupQuota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return static_cast<int>(std::ceil(std::atof(quota.c_str()) / period));
}

}  // namespace

int UsableCores() {
  const int mask = std::max(1, CoresInAffinityMask());
  const int quota = CoresInCgroupQuota();
  return quota > 0 ? std::min(mask, quota) : mask;
}

}  // namespace memory3
