// One of the project's programs as a child process whose log a test can wait for.
#ifndef MEMORY3_TESTS_INTEGRATION_LOGGED_PROCESS_H_
#define MEMORY3_TESTS_INTEGRATION_LOGGED_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace memory3 {

// The program must log as JSON. Killed, if it still runs, when the object goes.
class LoggedProcess {
 public:
  explicit LoggedProcess(std::vector<std::string> command);
  ~LoggedProcess();
  LoggedProcess(const LoggedProcess&) = delete;
  LoggedProcess& operator=(const LoggedProcess&) = delete;

  // Waits for a line of the log with this message; nullopt when the program ended or half a minute
  // passed without it.
  std::optional<nlohmann::json> AwaitLog(const std::string& message);

  void Signal(int number) const;
  // Exit status; -1 when a signal ended it or it still runs after `timeout`.
  int Wait(absl::Duration timeout);

  // Everything the program wrote to its standard error so far.
  std::string log() const;
  // Resident memory, bytes.
  int64_t resident_bytes() const;

 private:
  bool Running();

  std::string log_file_;
  pid_t pid_ = -1;
  std::optional<int> status_;  // as waitpid gave it
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_LOGGED_PROCESS_H_
