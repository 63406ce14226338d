// A small HTTP server for scrapes and probes on an address of its own: GET of a few fixed paths.
// It has threads of its own, so that an answer waits neither for gRPC nor for the engine, and
// time-outs, so that a silent client holds one of them only briefly. No TLS and no authentication:
// keep the address local to the pod or the host.
#ifndef MEMORY3_COMMON_HTTP_ENDPOINT_H_
#define MEMORY3_COMMON_HTTP_ENDPOINT_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

struct mg_connection;
struct mg_context;

namespace memory3 {

struct HttpReply {
  int code = 200;
  std::string body;
};

struct HttpRoute {
  std::string path;                    // "/metrics", matched exactly
  std::function<HttpReply()> handler;  // on any of the endpoint's threads
};

class HttpEndpoint {
 public:
  // `address`: "127.0.0.1:9464", "[::1]:9464"; port 0 takes a free one.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Start(const std::string& address,
                                                             std::vector<HttpRoute> routes);
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  int port() const { return port_; }

 private:
  HttpEndpoint(std::string address, std::vector<HttpRoute> routes)
      : address_(std::move(address)), routes_(std::move(routes)) {}
  static int Answer(mg_connection* connection, void* route);

  const std::string address_;
  const std::vector<HttpRoute> routes_;
  mg_context* server_ = nullptr;
  int port_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_COMMON_HTTP_ENDPOINT_H_
