// memory3-bank: builds banks of memories and looks into them.
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/base/flag_help.h"
#include "tools/bank_commands.h"

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(usage: memory3-bank build --model_dir DIR --input FILE|DIR --out BANK [flags]
       memory3-bank verify BANK
       memory3-bank stats BANK
       memory3-bank show BANK ID
       memory3-bank search BANK TEXT [--limit N]

build cuts texts into references, encodes each with the model into a memory, and publishes them
with their texts and a search index as a bank. A build that was killed goes on where it stopped
when it is started again; until it is complete there is no BANK, only BANK.partial.
verify reads and checks everything; it stops at the first fault with exit status 1.
search finds references as the retrieval service does.

  memory3-bank build --model_dir models/demo --input encyclopaedia.jsonl --out bank
  memory3-bank search bank "who built the lighthouse?")";

absl::Status Run(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "" : words[0];
  const size_t count = words.size();
  if (command == "build" && count == 1) return BankBuild();
  if (command == "verify" && count == 2) return BankVerify(words[1]);
  if (command == "stats" && count == 2) return BankStats(words[1]);
  if (command == "show" && count == 3) return BankShow(words[1], words[2]);
  if (command == "search" && count == 3) return BankSearch(words[1], words[2]);
  return absl::InvalidArgumentError(
      "give build, verify BANK, stats BANK, show BANK ID or search BANK TEXT; see --help");
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  const memory3::HelpPage page = {memory3::kUsage,
                                  {"tools/bank_build.cc", "tools/bank_inspect.cc"}};
  if (memory3::PrintHelpIfAsked(argc, argv, page)) return 0;
  const std::vector<char*> arguments = memory3::ParseFlagsOrExit(argc, argv);
  return memory3::EndProgram("memory3-bank",
                             memory3::Run({arguments.begin() + 1, arguments.end()}));
}
