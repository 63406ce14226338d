// How many cores this process may use.
#ifndef MEMORY3_ENGINE_BASE_CPU_COUNT_H_
#define MEMORY3_ENGINE_BASE_CPU_COUNT_H_

namespace memory3 {

// The cores in the affinity mask, or fewer when a cgroup quota (a container's CPU limit) allows
// less; at least 1.
int UsableCores();

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_CPU_COUNT_H_
