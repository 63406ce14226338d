// Which questions are asked, and with which references.
#ifndef MEMORY3_TOOLS_EVALUATE_DRAWING_H_
#define MEMORY3_TOOLS_EVALUATE_DRAWING_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "tools/evaluate/world_files.h"

namespace memory3 {

inline constexpr int kDistractors = 4;  // beside the right reference
inline constexpr int kWrongReferences = kDistractors + 1;

struct DrawnQuestion {
  int question = 0;        // index into World::questions
  int right = -1;          // index into World::articles; -1: an absent entity
  std::vector<int> wrong;  // kWrongReferences other articles; those that are easily taken first
  int place_of_right = 0;  // among right and kDistractors, so that no model can learn where it is
};

// `count` questions of a split, about as many entities as there are: an entity comes again only
// after all others. Wrong references are articles that share a word of the title where there are
// such, else ones of the same kind and language. Fewer questions when the split has fewer. The same
// for the same seed. The world has more than kWrongReferences articles.
std::vector<DrawnQuestion> DrawQuestions(const World& world, Split split, int count, uint64_t seed);

// The accuracy of one who knows all facts but not the entity: always the attribute's most frequent
// answer.
double AccuracyByGuessing(const World& world, absl::Span<const DrawnQuestion> drawn);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_DRAWING_H_
