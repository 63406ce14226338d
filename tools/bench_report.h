// How a bench presents what it measured: where, when and with which command, then a table.
#ifndef MEMORY3_TOOLS_BENCH_REPORT_H_
#define MEMORY3_TOOLS_BENCH_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tools/load_samples.h"
#include "tools/machine_info.h"
#include "tools/table.h"

namespace memory3 {

struct BenchReport {
  std::string command;
  absl::Time date;
  MachineInfo machine;
  std::vector<std::pair<std::string, std::string>> notes;  // "model" -> "..."
  std::vector<std::pair<std::string, double>> figures;     // the same for programs; JSON only
  Table table{{}};
  std::vector<std::string> explanations;  // what the columns mean; markdown only

  std::string ToMarkdown() const;
  std::string ToJson() const;
};

// The command line as a shell would take it.
std::string CommandLine(int argc, const char* const* argv);

// Columns that every bench has, and their cells: rates, then percentiles in milliseconds.
std::vector<std::string> LoadColumns();
std::vector<Cell> LoadCells(const LoadSummary& summary);
// What LoadColumns mean.
std::vector<std::string> LoadExplanations();

// "RESOURCE_EXHAUSTED 3, UNAVAILABLE 1"; "0" when there were none.
std::string DescribeErrors(const LoadSummary& summary);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_BENCH_REPORT_H_
