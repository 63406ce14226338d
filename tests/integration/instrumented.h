// Whether this program is built with a sanitizer: instrumented programs take many times as long,
// and memory of their own.
#ifndef MEMORY3_TESTS_INTEGRATION_INSTRUMENTED_H_
#define MEMORY3_TESTS_INTEGRATION_INSTRUMENTED_H_

namespace memory3 {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kInstrumented = true;
#else
inline constexpr bool kInstrumented = false;
#endif

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_INSTRUMENTED_H_
