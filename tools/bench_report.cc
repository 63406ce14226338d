#include "tools/bench_report.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace memory3 {
namespace {

std::string FormatDate(absl::Time date) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", date, absl::UTCTimeZone());
}

std::string DescribeMachineInWords(const MachineInfo& machine) {
  return absl::StrFormat("%s, %d cores, %.1f GiB, %s (%s)", machine.cpu, machine.cores,
                         machine.memory_gib, machine.kernel, absl::StrJoin(machine.flags, " "));
}

// Safe to paste: single quotes around everything but plain words.
std::string Quoted(absl::string_view word) {
  constexpr char kPlain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == absl::string_view::npos) {
    return std::string(word);
  }
  std::string out = "'";
  for (char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

Cell Milliseconds(const Percentiles& seconds, double percent) {
  return seconds.empty() ? Cell() : Cell(seconds.At(percent) * 1e3, 2);
}

double OrNothing(const std::optional<double>& value) {
  return value.value_or(std::numeric_limits<double>::quiet_NaN());
}

}  // namespace

std::string BenchReport::ToMarkdown() const {
  std::string out;
  absl::StrAppend(&out, "- command: `", command, "`\n");
  absl::StrAppend(&out, "- date: ", FormatDate(date), "\n");
  absl::StrAppend(&out, "- machine: ", DescribeMachineInWords(machine), "\n");
  for (const auto& [name, value] : notes) absl::StrAppend(&out, "- ", name, ": ", value, "\n");
  absl::StrAppend(&out, "\n", table.ToMarkdown(), "\n");
  for (const std::string& line : explanations) absl::StrAppend(&out, line, "\n");
  return out;
}

std::string BenchReport::ToJson() const {
  nlohmann::ordered_json json;
  json["command"] = command;
  json["date"] = absl::FormatTime(absl::RFC3339_sec, date, absl::UTCTimeZone());
  json["machine"] = {{"cpu", machine.cpu},
                     {"cores", machine.cores},
                     {"memory_gib", machine.memory_gib},
                     {"kernel", machine.kernel},
                     {"flags", machine.flags}};
  for (const auto& [name, value] : notes) json["notes"][name] = value;
  for (const auto& [name, value] : figures) json["figures"][name] = value;
  json["rows"] = table.ToJson();
  // Paths on the command line need not be valid UTF-8.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string CommandLine(int argc, const char* const* argv) {
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) words.push_back(Quoted(argv[i]));
  return absl::StrJoin(words, " ");
}

std::vector<std::string> LoadColumns() {
  return {"output tok/s", "prompt tok/s", "decode tok/s", "TTFT p50 ms", "TTFT p90 ms",
          "TTFT p99 ms",  "ITL p50 ms",   "ITL p90 ms",   "ITL p99 ms"};
}

std::vector<Cell> LoadCells(const LoadSummary& summary) {
  std::vector<Cell> cells = {Cell(summary.output_tokens_per_second, 1),
                             Cell(OrNothing(summary.prompt_tokens_per_second), 1),
                             Cell(OrNothing(summary.decode_tokens_per_second), 1)};
  for (const Percentiles* percentiles : {&summary.ttft, &summary.itl}) {
    for (double percent : {50, 90, 99}) cells.push_back(Milliseconds(*percentiles, percent));
  }
  return cells;
}

std::vector<std::string> LoadExplanations() {
  return {
      "output tok/s: generated tokens ÷ time from the first request to the last token.",
      "prompt tok/s: prompt tokens ÷ time until every request has its first token.",
      "decode tok/s: tokens ÷ time while all requests are decoding. Both need requests that run "
      "all "
      "together.",
      "TTFT: request to first token. ITL: token to token. Exact percentiles; warm-up excluded."};
}

std::string DescribeErrors(const LoadSummary& summary) {
  if (summary.errors.empty()) return "0";
  return absl::StrJoin(summary.errors, ", ", absl::PairFormatter(" "));
}

}  // namespace memory3
