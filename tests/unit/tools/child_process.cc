#include "tests/unit/tools/child_process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

namespace memory3 {
namespace {

constexpr int kPatienceMillis = 60'000;

// Replaces the child by the program; only what is safe after a fork.
[[noreturn]] void Become(const std::vector<char*>& arguments) {
  execv(arguments[0], arguments.data());
  _exit(127);
}

std::vector<char*> Arguments(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  return arguments;
}

int WaitFor(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

// An open file without a name, removed with its last descriptor.
int UnnamedFile() {
  std::string name = ::testing::TempDir() + "child_process.XXXXXX";
  const int file = mkstemp(name.data());
  EXPECT_GE(file, 0);
  unlink(name.c_str());
  return file;
}

std::string ContentsOf(int file) {
  std::string text;
  char buffer[4096];
  ssize_t bytes = 0;
  lseek(file, 0, SEEK_SET);
  while ((bytes = read(file, buffer, sizeof(buffer))) > 0) text.append(buffer, bytes);
  close(file);
  return text;
}

}  // namespace

FinishedProgram RunProgram(const std::vector<std::string>& command, const std::string& input) {
  const std::vector<char*> arguments = Arguments(command);
  const int in = UnnamedFile();
  const int out = UnnamedFile();
  const int err = UnnamedFile();
  EXPECT_EQ(write(in, input.data(), input.size()), static_cast<ssize_t>(input.size()));
  lseek(in, 0, SEEK_SET);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    Become(arguments);
  }
  FinishedProgram result;
  result.status = WaitFor(pid);
  result.out = ContentsOf(out);
  result.err = ContentsOf(err);
  close(in);
  return result;
}

TerminalProgram::TerminalProgram(const std::vector<std::string>& command) {
  const std::vector<char*> arguments = Arguments(command);
  pid_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
  if (pid_ == 0) Become(arguments);
  EXPECT_GT(pid_, 0);
}

TerminalProgram::~TerminalProgram() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    WaitFor(pid_);
  }
  close(terminal_);
}

void TerminalProgram::Type(const std::string& keys) {
  EXPECT_EQ(write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
}

std::string TerminalProgram::ReadUntil(const std::string& text) {
  std::string seen;
  while (seen.find(text) == std::string::npos) {
    pollfd wait = {terminal_, POLLIN, 0};
    char buffer[4096];
    if (poll(&wait, 1, kPatienceMillis) <= 0) break;
    const ssize_t bytes = read(terminal_, buffer, sizeof(buffer));
    if (bytes <= 0) break;
    seen.append(buffer, bytes);
  }
  return seen;
}

int TerminalProgram::Wait() {
  const int status = WaitFor(pid_);
  pid_ = -1;
  return status;
}

}  // namespace memory3
