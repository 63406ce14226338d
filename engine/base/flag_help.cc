#include "engine/base/flag_help.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace memory3 {
namespace {

constexpr size_t kLineWidth = 100;
constexpr char kIndent[] = "      ";

// Breaks `text` at spaces into indented lines.
std::string Wrapped(absl::string_view text) {
  std::string out;
  std::string line = kIndent;
  const size_t indent = line.size();
  for (absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    if (line.size() > indent && line.size() + 1 + word.size() > kLineWidth) {
      absl::StrAppend(&out, line, "\n");
      line = kIndent;
    }
    absl::StrAppend(&line, line.size() > indent ? " " : "", word);
  }
  absl::StrAppend(&out, line, "\n");
  return out;
}

std::string Entry(const absl::CommandLineFlag& flag) {
  const std::string value = flag.DefaultValue();
  const std::string shown = value.empty() ? "" : absl::StrCat(" (default ", value, ")");
  return absl::StrCat("  --", flag.Name(), shown, "\n", Wrapped(flag.Help()));
}

constexpr int kWrongFlags = 2;

// An exit handler cannot be taken back once the flags are read, so it has to ask.
std::atomic<bool> reading_flags = false;

void ExitForWrongFlags(int status, void*) {
  if (!reading_flags || status == 0) return;
  std::fflush(nullptr);
  std::_Exit(kWrongFlags);
}

}  // namespace

std::string FormatHelp(const HelpPage& page) {
  std::string out = absl::StrCat(absl::StripAsciiWhitespace(page.usage), "\n\nFlags:\n");
  const auto flags = absl::GetAllFlags();
  for (absl::string_view source : page.sources) {
    std::map<absl::string_view, std::string> entries;
    for (const auto& [name, flag] : flags) {
      if (!absl::EndsWith(flag->Filename(), source)) continue;
      entries.emplace(name, Entry(*flag));
    }
    for (const auto& [name, entry] : entries) absl::StrAppend(&out, entry);
  }
  absl::StrAppend(&out, "  --flagfile FILE\n", Wrapped("Reads flags from a file, one per line."));
  return out;
}

bool PrintHelpIfAsked(int argc, char** argv, const HelpPage& page) {
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (argument == "--") return false;
    if (argument == "--help" || argument == "-help" || argument == "-h") {
      std::fputs(FormatHelp(page).c_str(), stdout);
      return true;
    }
  }
  return false;
}

// absl's parser prints what is wrong and calls std::exit.
std::vector<char*> ParseFlagsOrExit(int argc, char** argv) {
  [[maybe_unused]] static const int registered = on_exit(&ExitForWrongFlags, nullptr);
  reading_flags = true;
  std::vector<char*> arguments = absl::ParseCommandLine(argc, argv);
  reading_flags = false;
  return arguments;
}

int EndProgram(absl::string_view program, const absl::Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", std::string(program).c_str(),
               std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? kWrongFlags : 1;
}

}  // namespace memory3
