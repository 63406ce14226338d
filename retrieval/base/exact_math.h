// The logarithm with the same bits on every machine. A maths library's own depends on its version
// and on the processor it finds; this uses only operations that IEEE 754 rounds exactly.
#ifndef MEMORY3_RETRIEVAL_BASE_EXACT_MATH_H_
#define MEMORY3_RETRIEVAL_BASE_EXACT_MATH_H_

namespace memory3 {

// Natural logarithm of a finite normal x > 0, within 1e-14 relative of the true one (absolute near
// 1).
double ExactLog(double x);

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_BASE_EXACT_MATH_H_
