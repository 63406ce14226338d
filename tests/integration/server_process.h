// memory3-server as a child process on free ports of loopback, as an operator would run it.
#ifndef MEMORY3_TESTS_INTEGRATION_SERVER_PROCESS_H_
#define MEMORY3_TESTS_INTEGRATION_SERVER_PROCESS_H_

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace memory3 {

// The program with free ports, one compute thread and a KV cache of a few megabytes; `flags` come
// after these and win.
std::vector<std::string> ServerCommand(const std::vector<std::string>& flags);

// Starts the program. Killed, if it still runs, when the object goes.
class ServerProcess {
 public:
  explicit ServerProcess(const std::vector<std::string>& flags);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Waits for a line of the log with this message; nullopt when the program ended or half a minute
  // passed without it.
  std::optional<nlohmann::json> AwaitLog(const std::string& message);
  // Waits until requests are taken.
  bool AwaitReady();
  int grpc_port() const { return grpc_port_; }        // after AwaitReady
  int metrics_port() const { return metrics_port_; }  // after AwaitReady

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
  int grpc_port_ = 0;
  int metrics_port_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_SERVER_PROCESS_H_
