// The server in the test's own process, on free ports of loopback, and clients of it.
#ifndef MEMORY3_TESTS_INTEGRATION_TEST_SERVER_H_
#define MEMORY3_TESTS_INTEGRATION_TEST_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/server.h"
#include "tests/integration/chat_client.h"

namespace memory3 {

// Free ports, one compute thread, and a KV cache of a few megabytes.
ServerOptions TestOptions(const std::filesystem::path& model_dir);

// Asks again and again; false when it did not come true in half a minute, instrumented in two.
bool Eventually(const std::function<bool()>& condition);

// A connection of its own to the port.
std::shared_ptr<grpc::Channel> Connect(int port);

class TestServer {
 public:
  // Bound but not loaded with kBindOnly.
  enum class Begin { kLoad, kBindOnly };
  explicit TestServer(const ServerOptions& options, Begin begin = Begin::kLoad);
  ~TestServer();

  Server& server() { return *server_; }
  std::shared_ptr<grpc::Channel> channel() { return channel_; }
  v1::ChatService::Stub& chat() { return *chat_; }

  std::map<std::string, double> Scrape() const;
  // 0 when there is no such sample.
  double Sample(const std::string& name) const;
  // Nothing queued, nothing running, every KV block free.
  bool BecomesIdle() const;

 private:
  std::FILE* log_file_;
  Logger log_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ChatService::Stub> chat_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_TEST_SERVER_H_
