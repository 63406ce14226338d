#include "tools/evaluate/nll_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/evaluate/statistics.h"
#include "tools/table.h"

namespace memory3 {
namespace {

void AddRow(const char* name, const std::vector<double>& values, const std::vector<double>& none,
            Table* table) {
  std::vector<double> differences;
  for (size_t i = 0; i < values.size(); ++i) differences.push_back(values[i] - none[i]);
  const MeanError difference = MeanOf(differences);
  table->AddRow({Cell(std::string(name)), Cell(MeanOf(values).mean, 4), Cell(difference.mean, 4),
                 Cell(difference.error, 4)});
}

}  // namespace

std::string NllTable(const NllScores& scores) {
  Table table({"setting", "nats/token", "minus none", "standard error"});
  AddRow("plain", scores.plain, scores.none, &table);
  AddRow("none", scores.none, scores.none, &table);
  AddRow("right", scores.right, scores.none, &table);
  AddRow("wrong", scores.wrong, scores.none, &table);
  AddRow("context", scores.context, scores.none, &table);
  // Against the better of the two ways to have no memory, so that neither flatters the share.
  const bool plain = MeanOf(scores.plain).mean <= MeanOf(scores.none).mean;
  const ShareOfGain share =
      ShareOfWay(plain ? scores.plain : scores.none, scores.right, scores.context);
  return absl::StrCat(
      table.ToMarkdown(),
      absl::StrFormat("\n%d texts. Of what \"context\" gains over \"%s\", \"right\" reaches %.3f "
                      "[%.3f, %.3f].\n",
                      scores.plain.size(), plain ? "plain" : "none", share.share,
                      share.interval.low, share.interval.high));
}

}  // namespace memory3
