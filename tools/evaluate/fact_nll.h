// What memories are worth in nats: the facts of an article, told in other words, scored with the
// article as a memory, with another article's, with none, and with the article in the context.
#ifndef MEMORY3_TOOLS_EVALUATE_FACT_NLL_H_
#define MEMORY3_TOOLS_EVALUATE_FACT_NLL_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "tools/evaluate/nll_table.h"
#include "tools/evaluate/world_files.h"
#include "tools/memory_subject.h"

namespace memory3 {

// `count` entities of the split, drawn by the seed; the sentences of all of an entity's questions
// are its text. Fewer when the split has fewer. InvalidArgument when no question has a sentence.
absl::StatusOr<NllScores> ScoreFacts(const MemorySubject& subject, const World& world, Split split,
                                     int count, uint64_t seed);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_FACT_NLL_H_
