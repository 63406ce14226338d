// A model with explicit memory, loaded the way the tools that drive a runner directly need it.
#ifndef MEMORY3_TOOLS_MEMORY_SUBJECT_H_
#define MEMORY3_TOOLS_MEMORY_SUBJECT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/model/memory_config.h"
#include "engine/model/model_config.h"
#include "engine/runner/runner.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

struct MemorySubjectOptions {
  std::string model_dir;
  std::string memory_config;   // JSON object that overrides config.json's memory3; may be empty
  std::string device = "cpu";  // cpu, cuda or auto
  std::string dtype = "f32";   // weights, KV cache and memories: bf16 or f32
  int threads = 0;             // of the CPU; 0: one per core
  int max_sequences = 1;
  int max_context = 0;   // at most; 0: the model's
  int memory_slots = 0;  // at least; one chunk's are always there
};

struct MemorySubject {
  ModelConfig config;
  MemoryConfig memory;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Runner> runner;
};

// InvalidArgument naming the flag or file at fault.
absl::StatusOr<MemorySubject> LoadMemorySubject(const MemorySubjectOptions& options);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_MEMORY_SUBJECT_H_
