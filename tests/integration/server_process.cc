#include "tests/integration/server_process.h"

namespace memory3 {

std::vector<std::string> ServerCommand(const std::vector<std::string>& flags) {
  std::vector<std::string> command = {M3_BINARY_DIR "/bin/memory3-server",
                                      "--listen_address=127.0.0.1:0",
                                      "--metrics_address=127.0.0.1:0",
                                      "--threads=1",
                                      "--kv_cache_bytes=48MiB",
                                      "--log_format=json"};
  command.insert(command.end(), flags.begin(), flags.end());
  return command;
}

bool ServerProcess::AwaitReady() {
  const std::optional<nlohmann::json> ready = AwaitLog("ready");
  if (!ready.has_value()) return false;
  grpc_port_ = ready->value("grpc_port", 0);
  metrics_port_ = ready->value("metrics_port", 0);
  return grpc_port_ > 0;
}

}  // namespace memory3
