// memory3-bench: measures the engine, or a running server, and prints a table.
#include <cstdio>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "engine/base/flag_help.h"
#include "engine/base/status_macros.h"
#include "tools/bench_commands.h"
#include "tools/bench_report.h"

ABSL_FLAG(std::string, format, "markdown", "Of the report: markdown or json.");

namespace memory3 {
namespace {

constexpr char kUsage[] = R"(usage: memory3-bench engine --model_dir DIR [flags]
       memory3-bench memory --model_dir DIR [flags]
       memory3-bench serve [--target ADDR] [flags]

engine measures the engine in this process, without a server: a row per batch size.
memory measures what explicit memory costs in this process, every memory read from disk.
serve measures a running memory3-server over gRPC: a row per number of concurrent streams.

  memory3-bench engine --model_dir DIR --batch 1,8,16 --prompt 128 --generate 64
  memory3-bench memory --model_dir DIR --batch 16 --prompt 128 --generate 128
  memory3-bench serve --target 127.0.0.1:8470 --streams 64 --prompt 128 --generate 64
  memory3-bench serve --streams 16 --requests 500           16 at a time, 500 in all
  memory3-bench serve --trace FILE --trace_speed 10 --trace_length_scale 0.01
  memory3-bench engine --help                               the flags of one subcommand

With the same --prompt, --generate and --seed, a row of `engine --batch N` and one of
`serve --streams N` come from the same requests, started together, and their figures mean the same:
the difference is what the server costs. Stop the server before measuring the engine.)";

constexpr char kEngineUsage[] = R"(usage: memory3-bench engine --model_dir DIR [flags]

Measures the engine in this process: prompt and decode rates, latencies, and the share of what the
machine's memory and arithmetic would allow, both measured in the same run.

  memory3-bench engine --model_dir DIR --batch 1,8,16 --prompt 128 --generate 64
  memory3-bench engine --model_dir DIR --batch 1 --prompt 512 --generate 8 --repeat 5 --format json)";

constexpr char kMemoryUsage[] = R"(usage: memory3-bench memory --model_dir DIR [flags]

Measures what explicit memory costs: tokens/s, latencies and the time stood still at chunk
boundaries with every memory read from disk, against the same engine without memory and against the
references as text in the prompt.

  memory3-bench memory --model_dir DIR --batch 16 --prompt 128 --generate 128 --scratch_dir /data)";

constexpr char kServeUsage[] = R"(usage: memory3-bench serve [--target ADDR] [flags]

Measures a running memory3-server over gRPC: rates, time to first token, inter-token latency, and
errors by status code.

  memory3-bench serve --streams 1,16,64 --prompt 128 --generate 64
  memory3-bench serve --streams 16 --requests 500           16 at a time, 500 in all
  memory3-bench serve --trace FILE --trace_speed 10 --trace_length_scale 0.01)";

struct Command {
  absl::string_view name;
  absl::Status (*run)(BenchReport*);
  absl::string_view usage;
  std::vector<absl::string_view> sources;  // that define its flags
};

const std::vector<Command>& Commands() {
  static const auto& commands = *new std::vector<Command>{
      {"engine", BenchEngine, kEngineUsage, {"tools/bench_subject.cc"}},
      {"memory", BenchMemory, kMemoryUsage, {"tools/bench_subject.cc", "tools/bench_memory.cc"}},
      {"serve", BenchServe, kServeUsage, {"tools/bench_serve.cc"}}};
  return commands;
}

const Command* FindCommand(absl::string_view name) {
  for (const Command& command : Commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

HelpPage HelpFor(absl::string_view name) {
  HelpPage page = {kUsage, {}};
  std::set<absl::string_view> sources = {"tools/bench_flags.cc", "tools/bench_main.cc"};
  const Command* asked = FindCommand(name);
  for (const Command& command : Commands()) {
    if (asked != nullptr && asked != &command) continue;
    sources.insert(command.sources.begin(), command.sources.end());
  }
  if (asked != nullptr) page.usage = asked->usage;
  page.sources.assign(sources.begin(), sources.end());
  return page;
}

// A flag of another subcommand that was set all the same; empty when there is none.
std::string ForeignFlag(const Command& command) {
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (flag->CurrentValue() == flag->DefaultValue()) continue;
    const auto defines = [file = flag->Filename()](absl::string_view source) {
      return absl::EndsWith(file, source);
    };
    if (absl::c_any_of(command.sources, defines)) continue;
    for (const Command& other : Commands()) {
      if (absl::c_any_of(other.sources, defines)) return std::string(name);
    }
  }
  return "";
}

absl::Status Run(const std::vector<char*>& arguments, std::string command_line) {
  const std::string format = absl::GetFlag(FLAGS_format);
  if (format != "markdown" && format != "json") {
    return absl::InvalidArgumentError("--format: must be markdown or json");
  }
  const Command* command = arguments.size() == 1 ? FindCommand(arguments[0]) : nullptr;
  if (command == nullptr) {
    return absl::InvalidArgumentError("give one subcommand: engine, memory or serve; see --help");
  }
  if (const std::string flag = ForeignFlag(*command); !flag.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("--", flag, " is no flag of ", command->name));
  }
  BenchReport report;
  report.command = std::move(command_line);
  report.date = absl::Now();
  report.machine = DescribeMachine();
  M3_RETURN_IF_ERROR(command->run(&report));
  std::fputs((format == "json" ? report.ToJson() : report.ToMarkdown()).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, memory3::HelpFor(argc > 1 ? argv[1] : ""))) return 0;
  std::string command_line = memory3::CommandLine(argc, argv);
  const std::vector<char*> arguments = memory3::ParseFlagsOrExit(argc, argv);
  return memory3::EndProgram("memory3-bench", memory3::Run({arguments.begin() + 1, arguments.end()},
                                                           std::move(command_line)));
}
