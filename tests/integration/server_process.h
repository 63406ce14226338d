// memory3-server as a child process on free ports of loopback, as an operator would run it.
#ifndef MEMORY3_TESTS_INTEGRATION_SERVER_PROCESS_H_
#define MEMORY3_TESTS_INTEGRATION_SERVER_PROCESS_H_

#include <string>
#include <vector>

#include "tests/integration/logged_process.h"

namespace memory3 {

// The program with free ports, one compute thread and a KV cache of a few megabytes; `flags` come
// after these and win.
std::vector<std::string> ServerCommand(const std::vector<std::string>& flags);

class ServerProcess : public LoggedProcess {
 public:
  explicit ServerProcess(const std::vector<std::string>& flags)
      : LoggedProcess(ServerCommand(flags)) {}

  // Waits until requests are taken.
  bool AwaitReady();
  int grpc_port() const { return grpc_port_; }        // after AwaitReady
  int metrics_port() const { return metrics_port_; }  // after AwaitReady

 private:
  int grpc_port_ = 0;
  int metrics_port_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_SERVER_PROCESS_H_
