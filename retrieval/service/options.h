// Everything that can be set about the sidecar. Its flags fill it in (retrieval/service/flags.cc);
// tests do so directly.
#ifndef MEMORY3_RETRIEVAL_SERVICE_OPTIONS_H_
#define MEMORY3_RETRIEVAL_SERVICE_OPTIONS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/grpc_limits.h"
#include "common/log.h"
#include "retrieval/index/retrieval_index.h"

namespace memory3 {

struct RetrievalOptions {
  std::filesystem::path bank;    // a bank's folder, or a link to one
  std::filesystem::path taught;  // folder of the log of taught references; empty: none
  IndexOpenOptions index;
  absl::Duration poll_interval = absl::Seconds(1);  // for a newer bank and newly taught references

  std::vector<std::string> listen_addresses = {
      "127.0.0.1:8471"};                           // host:port or unix:PATH; port 0: a free one
  std::string metrics_address = "127.0.0.1:9465";  // empty: off
  std::filesystem::path port_file;                 // gets the gRPC port once bound; empty: none

  int threads = 1;        // that search
  int max_pending = 256;  // calls that wait for one of them; more are refused at once
  int max_queries = 256;  // of one call
  int max_query_bytes = 64 << 10;
  GrpcLimits grpc;
  absl::Duration shutdown_grace = absl::Seconds(10);
  LogFormat log_format = LogFormat::kText;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_SERVICE_OPTIONS_H_
