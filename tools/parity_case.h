// One parity case: token ids in, the answers of an independent reference out, as a JSON file.
#ifndef MEMORY3_TOOLS_PARITY_CASE_H_
#define MEMORY3_TOOLS_PARITY_CASE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace memory3 {

struct ListedLogit {
  int32_t token;
  double value;
};

// The reference's logits after one prompt token, for some tokens of the vocabulary.
struct ReferenceRow {
  int32_t row;  // index into the prompt
  std::vector<ListedLogit> logits;
};

// What the reference's write path made of one reference, in one memory layer.
struct ReferenceLayer {
  std::vector<std::vector<int32_t>> kept;      // per KV head: which tokens, ascending
  std::vector<double> first_key, first_value;  // of KV head 0, the key after RoPE
};

struct ReferenceMemory {
  std::vector<int32_t> tokens;         // of its text, without prefix, cut to reference_tokens
  std::vector<ReferenceLayer> layers;  // in the order of the configuration's memory layers
};

struct ParityCase {
  bool memory_enabled = false;
  std::string memory_config;  // JSON object of explicit memory's settings
  std::vector<int> memory_layers;
  int chunk_tokens = 0;
  std::vector<int32_t> prefix_ids;
  std::vector<ReferenceMemory> references;
  std::vector<std::vector<int>> memory_sets;  // per chunk: indexes into references
  std::vector<int32_t> prompt;
  std::vector<ReferenceRow> rows;   // ascending
  std::vector<int32_t> greedy_ids;  // the greedy continuation of the prompt
};

// InvalidArgument naming the file and what is wrong with it.
absl::StatusOr<ParityCase> LoadParityCase(const std::string& file);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_PARITY_CASE_H_
