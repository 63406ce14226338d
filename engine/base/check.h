// M3_CHECK(condition): aborts with file, line and the condition. For programmer errors only; bad
// input and faults of the outside world are absl::Status.
#ifndef MEMORY3_ENGINE_BASE_CHECK_H_
#define MEMORY3_ENGINE_BASE_CHECK_H_

#include <cstdio>
#include <cstdlib>

#define M3_CHECK(condition)                                                              \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)

#endif  // MEMORY3_ENGINE_BASE_CHECK_H_
