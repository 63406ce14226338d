// A Llama decoder written out in double precision, without cache, batch or blocks: the oracle of
// the runner's tests.
#ifndef MEMORY3_TESTS_UNIT_RUNNER_NAIVE_LLAMA_H_
#define MEMORY3_TESTS_UNIT_RUNNER_NAIVE_LLAMA_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "tests/unit/runner/random_model.h"

namespace memory3 {

// Logits after every token: (tokens, vocab).
std::vector<std::vector<double>> NaiveLogits(const RandomModel& model,
                                             absl::Span<const int32_t> tokens);

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_RUNNER_NAIVE_LLAMA_H_
