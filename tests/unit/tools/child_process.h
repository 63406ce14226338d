// A program under test, run as a child process with pipes or with a terminal of its own.
#ifndef MEMORY3_TESTS_UNIT_TOOLS_CHILD_PROCESS_H_
#define MEMORY3_TESTS_UNIT_TOOLS_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace memory3 {

// Runs the program to its end with `input` as its standard input.
struct FinishedProgram {
  int status = -1;  // exit status; -1: ended by a signal
  std::string out;
  std::string err;
};
FinishedProgram RunProgram(const std::vector<std::string>& command, const std::string& input);

// A program in a pseudo-terminal, as a person would use it. Ended when destroyed.
class TerminalProgram {
 public:
  explicit TerminalProgram(const std::vector<std::string>& command);
  ~TerminalProgram();
  TerminalProgram(const TerminalProgram&) = delete;
  TerminalProgram& operator=(const TerminalProgram&) = delete;

  void Type(const std::string& keys);
  // Reads until the output since the last call holds `text`, and returns it; gives up after a
  // minute or when the program ends.
  std::string ReadUntil(const std::string& text);
  // Waits for the end: exit status, -1 for a signal.
  int Wait();

 private:
  pid_t pid_ = -1;
  int terminal_ = -1;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_TOOLS_CHILD_PROCESS_H_
