// The subcommands of memory3-bank. Each prints its result to standard output and progress to
// standard error; flags are those of the program.
#ifndef MEMORY3_TOOLS_BANK_COMMANDS_H_
#define MEMORY3_TOOLS_BANK_COMMANDS_H_

#include <string>

#include "absl/status/status.h"

namespace memory3 {

absl::Status BankBuild();
absl::Status BankVerify(const std::string& bank);
absl::Status BankStats(const std::string& bank);
absl::Status BankShow(const std::string& bank, const std::string& id);
absl::Status BankSearch(const std::string& bank, const std::string& text);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_BANK_COMMANDS_H_
