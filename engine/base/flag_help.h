// `--help` as a page that a stranger can work from: the usage text, then every flag of the program
// with its default, in the order of its source files.
//
//   int main(int argc, char** argv) {
//     if (PrintHelpIfAsked(argc, argv, {kUsage, {"tools/chat_main.cc"}})) return 0;
//     std::vector<char*> arguments = ParseFlagsOrExit(argc, argv);
//     return EndProgram("memory3-chat", Run(arguments));
//   }
//
// absl's own page lists only the flags of the file that holds main, without an order, and ends with
// status 1.
#ifndef MEMORY3_ENGINE_BASE_FLAG_HELP_H_
#define MEMORY3_ENGINE_BASE_FLAG_HELP_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace memory3 {

struct HelpPage {
  absl::string_view usage;                 // synopsis, what it does, examples
  std::vector<absl::string_view> sources;  // files whose flags belong to the program
};

// The page as text. Flags of one file are sorted by name.
std::string FormatHelp(const HelpPage& page);

// Prints the page when an argument before a "--" is --help, -help or -h.
bool PrintHelpIfAsked(int argc, char** argv, const HelpPage& page);

// absl::ParseCommandLine, except that unknown flags, values that do not parse and flag files that
// cannot be read end the program with status 2, the status of every wrong flag, instead of 1.
std::vector<char*> ParseFlagsOrExit(int argc, char** argv);

// Says on standard error what went wrong, if anything did. Returns the program's exit status: 0; 2
// for what was asked wrongly (InvalidArgument), 1 for what went wrong.
int EndProgram(absl::string_view program, const absl::Status& status);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_FLAG_HELP_H_
