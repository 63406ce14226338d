// What memories are worth, in nats per token.
#ifndef MEMORY3_TOOLS_EVALUATE_NLL_TABLE_H_
#define MEMORY3_TOOLS_EVALUATE_NLL_TABLE_H_

#include <string>
#include <vector>

namespace memory3 {

// Nats per token, an entry per text, in equal order.
struct NllScores {
  std::vector<double> plain;    // a decoder without explicit memory
  std::vector<double> none;     // the reference prefix, no memory
  std::vector<double> right;    // the memory of what belongs to the text
  std::vector<double> wrong;    // the memory of what belongs to another text
  std::vector<double> context;  // a plain decoder with that in its context
};

// A row per setting, with the mean and the difference to `none`; below it the share of the
// context's gain that the right memory reaches. At least one text.
std::string NllTable(const NllScores& scores);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_NLL_TABLE_H_
