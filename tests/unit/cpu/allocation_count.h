// Counts the allocations of the whole process: the unit behind it replaces operator new.
#ifndef MEMORY3_TESTS_UNIT_CPU_ALLOCATION_COUNT_H_
#define MEMORY3_TESTS_UNIT_CPU_ALLOCATION_COUNT_H_

#include <cstdint>

namespace memory3 {

// Calls of operator new so far, on all threads.
int64_t AllocationCount();

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_CPU_ALLOCATION_COUNT_H_
