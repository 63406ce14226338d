// Where a record lies and what its bytes must be.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_RECORD_PLACE_H_
#define MEMORY3_ENGINE_MEMORY_BANK_RECORD_PLACE_H_

#include <cstdint>
#include <memory>

#include "engine/memory/bank/record_file.h"

namespace memory3 {

struct RecordPlace {
  std::shared_ptr<const RecordFile> file;
  int64_t offset = 0;
  int tokens = 0;         // of the memory's kept_tokens that are valid
  uint32_t checksum = 0;  // RecordChecksum(id, tokens, bytes)
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_RECORD_PLACE_H_
