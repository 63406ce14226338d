#include "tests/integration/logged_process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "engine/base/check.h"
#include "gtest/gtest.h"

namespace memory3 {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr absl::Duration kPause = absl::Milliseconds(5);

// Replaces the child by the program; only what is safe after a fork.
[[noreturn]] void Become(const std::vector<char*>& arguments, int log) {
  dup2(log, STDERR_FILENO);
  execv(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

LoggedProcess::LoggedProcess(std::vector<std::string> command) {
  log_file_ = testing::TempDir() + "/m3_log_XXXXXX";
  const int log = mkstemp(log_file_.data());
  M3_CHECK(log >= 0);
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_ = fork();
  M3_CHECK(pid_ >= 0);
  if (pid_ == 0) Become(arguments, log);
  close(log);
}

LoggedProcess::~LoggedProcess() {
  if (Running()) {
    Signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  unlink(log_file_.c_str());
}

bool LoggedProcess::Running() {
  if (status_.has_value()) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return true;
  status_ = status;
  return false;
}

std::optional<nlohmann::json> LoggedProcess::AwaitLog(const std::string& message) {
  for (const absl::Time end = absl::Now() + kPatience; absl::Now() < end; absl::SleepFor(kPause)) {
    const bool last_look = !Running();
    for (const absl::string_view line : absl::StrSplit(log(), '\n')) {
      nlohmann::json entry = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
      if (entry.is_object() && entry.value("message", "") == message) return entry;
    }
    if (last_look) break;
  }
  return std::nullopt;
}

void LoggedProcess::Signal(int number) const { kill(pid_, number); }

int LoggedProcess::Wait(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  while (Running() && absl::Now() < end) absl::SleepFor(kPause);
  return status_.has_value() && WIFEXITED(*status_) ? WEXITSTATUS(*status_) : -1;
}

std::string LoggedProcess::log() const {
  std::ifstream file(log_file_);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

int64_t LoggedProcess::resident_bytes() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace memory3
