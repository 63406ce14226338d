// The body of a page of the server's HTTP endpoint, over a plain socket.
#ifndef MEMORY3_TESTS_INTEGRATION_HTTP_GET_H_
#define MEMORY3_TESTS_INTEGRATION_HTTP_GET_H_

#include <map>
#include <string>

namespace memory3 {

struct HttpAnswer {
  int code = 0;  // 0: no answer
  std::string body;
};

HttpAnswer HttpGet(int port, const std::string& path);

// The samples of a Prometheus text: "name{labels}" -> value.
std::map<std::string, double> ParseSamples(const std::string& exposition);

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_HTTP_GET_H_
