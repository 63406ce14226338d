// Drives a runner over sequences of known tokens, cut and mixed in any way, and keeps what came
// back for every token.
#ifndef MEMORY3_TESTS_UNIT_RUNNER_RUNNER_BENCH_H_
#define MEMORY3_TESTS_UNIT_RUNNER_RUNNER_BENCH_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/runner/runner.h"

namespace memory3 {

struct RunnerPiece {
  int sequence, first, count;
};

class RunnerBench {
 public:
  static constexpr int kSequences = 4;
  static constexpr int kTokens = 90;  // of every sequence

  // The runner is made for kSequences sequences. Tokens are always the same, KV blocks shuffled by
  // `block_seed`. Aborts on error.
  RunnerBench(std::unique_ptr<Runner> runner, uint32_t block_seed);

  // From now on the sequence runs with explicit memory; the rows of its chunk c see sets[c].
  void UseMemory(int sequence, std::vector<std::vector<MemorySlot>> sets);

  // One step; every row's logits are kept, and the last row of every piece is sampled from.
  void Step(const std::vector<RunnerPiece>& pieces);

  const std::vector<int32_t>& tokens(int sequence) const { return tokens_[sequence]; }
  const float* logits(int sequence, int position) const {
    return logits_.data() + (int64_t{sequence} * kTokens + position) * vocab_;
  }
  const std::vector<float>& all_logits() const { return logits_; }
  const StepOutput& output() const { return output_; }
  Runner& runner() { return *runner_; }

 private:
  std::vector<RowMemories> MemoriesOf(const RunnerPiece& piece) const;

  const int vocab_;
  std::unique_ptr<Runner> runner_;
  std::vector<std::vector<int32_t>> tokens_;
  std::vector<std::vector<KvBlockId>> tables_;
  std::vector<int32_t> all_rows_;
  std::vector<std::vector<std::vector<MemorySlot>>> sets_;  // (sequence, chunk); none: plain
  std::vector<float> logits_;                               // (sequence, position, vocab)
  StepOutput output_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_RUNNER_RUNNER_BENCH_H_
