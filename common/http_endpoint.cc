#include "common/http_endpoint.h"

#include <civetweb.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "engine/base/string_views.h"

namespace memory3 {
namespace {

constexpr char kThreads[] = "3";
constexpr char kRequestTimeoutMs[] = "5000";
constexpr char kMaxRequestBytes[] = "16384";
constexpr absl::Duration kWakeInterval = absl::Milliseconds(10);

std::string_view ReasonOf(int code) { return code == 200 ? "OK" : "Service Unavailable"; }

// The library's listener looks up from its poll every two seconds, and whenever someone connects.
void WakeListener(const std::string& address, int port) {
  absl::string_view host = absl::string_view(address).substr(0, address.rfind(':'));
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* target = nullptr;
  if (getaddrinfo(std::string(host).c_str(), std::to_string(port).c_str(), &hints, &target) != 0)
    return;
  const int connection = socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  static_cast<void>(connect(connection, target->ai_addr, target->ai_addrlen));
  close(connection);
  freeaddrinfo(target);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(const std::string& address,
                                                                  std::vector<HttpRoute> routes) {
  std::unique_ptr<HttpEndpoint> endpoint(new HttpEndpoint(address, std::move(routes)));
  const char* options[] = {"listening_ports",
                           address.c_str(),
                           "num_threads",
                           kThreads,
                           "request_timeout_ms",
                           kRequestTimeoutMs,
                           "max_request_size",
                           kMaxRequestBytes,
                           "enable_keep_alive",
                           "no",
                           nullptr};
  const mg_callbacks callbacks = {};
  mg_init_data init = {&callbacks, nullptr, options};
  char text[256] = {};
  unsigned code = 0;
  mg_error_data error = {&code, text, sizeof(text)};
  endpoint->server_ = mg_start2(&init, &error);
  if (endpoint->server_ == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", text));
  }
  for (const HttpRoute& route : endpoint->routes_) {
    // The trailing $ makes the match exact instead of by prefix.
    mg_set_request_handler(endpoint->server_, absl::StrCat(route.path, "$").c_str(),
                           &HttpEndpoint::Answer, const_cast<HttpRoute*>(&route));
  }
  mg_server_port port = {};
  if (mg_get_server_ports(endpoint->server_, 1, &port) == 1) endpoint->port_ = port.port;
  return endpoint;
}

HttpEndpoint::~HttpEndpoint() {
  if (server_ == nullptr) return;
  std::atomic<bool> stopped = false;
  std::thread waker([&] {
    while (!stopped) {
      WakeListener(address_, port_);
      absl::SleepFor(kWakeInterval);
    }
  });
  mg_stop(server_);
  stopped = true;
  waker.join();
}

int HttpEndpoint::Answer(mg_connection* connection, void* route) {
  const std::string_view method = mg_get_request_info(connection)->request_method;
  if (method != "GET" && method != "HEAD") {
    mg_send_http_error(connection, 405, "only GET is supported");
    return 405;
  }
  const HttpReply reply = static_cast<const HttpRoute*>(route)->handler();
  const std::string head =
      absl::StrCat("HTTP/1.1 ", reply.code, " ", AbslView(ReasonOf(reply.code)),
                   "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: ",
                   reply.body.size(), "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
  mg_write(connection, head.data(), head.size());
  if (method == "GET") mg_write(connection, reply.body.data(), reply.body.size());
  return reply.code;
}

}  // namespace memory3
