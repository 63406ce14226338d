#include "retrieval/service/flags.h"

#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/byte_size.h"
#include "common/flag_checks.h"
#include "engine/base/cpu_count.h"
#include "engine/base/status_macros.h"

using memory3::ByteSize;

ABSL_FLAG(std::string, bank, "",
          "folder of the bank, or a link to one; a newer bank in its place is served without a "
          "restart");
ABSL_FLAG(std::string, taught, "",
          "folder in which memory3-server keeps the references it is taught; empty: none");
ABSL_FLAG(std::string, embedder_model_dir, "",
          "Hugging Face folder of the bank's transformer embedder; not needed by a lexical bank");
ABSL_FLAG(int, search_candidates, 256,
          "breadth of a graph search (ef): more finds more and takes longer");
ABSL_FLAG(absl::Duration, poll_interval, absl::Seconds(1),
          "how often to look for a newer bank and for taught references");
ABSL_FLAG(std::string, listen_address, "127.0.0.1:8471",
          "host:port or unix:PATH; several, separated by commas. Port 0 takes a free one");
ABSL_FLAG(std::string, metrics_address, "127.0.0.1:9465",
          "host:port of /metrics, /healthz and /readyz over HTTP; empty turns them off");
ABSL_FLAG(std::string, port_file, "",
          "file that gets the number of the gRPC port once it is bound");
ABSL_FLAG(int, threads, 0, "threads that search; 0: one for each core the process may use");
ABSL_FLAG(int, embedder_threads, 0,
          "threads of a transformer embedder; 0: one for each core the process may use");
ABSL_FLAG(int, max_pending, 256, "calls that wait for a thread; more are refused at once");
ABSL_FLAG(int, max_queries, 256, "query texts of one call");
ABSL_FLAG(ByteSize, max_query_bytes, ByteSize{64 << 10}, "longest query text");
ABSL_FLAG(ByteSize, max_request_bytes, ByteSize{4 << 20}, "largest request message");
ABSL_FLAG(int, max_concurrent_streams, 256, "calls in progress on one connection");
ABSL_FLAG(ByteSize, grpc_memory, ByteSize{int64_t{256} << 20},
          "memory of gRPC's buffers, all connections together");
ABSL_FLAG(absl::Duration, max_connection_age, absl::Minutes(30),
          "age at which a connection is closed");
ABSL_FLAG(absl::Duration, shutdown_grace, absl::Seconds(10),
          "time that calls have to end after SIGTERM");
ABSL_FLAG(std::string, log_format, "text", "text or json");

namespace memory3 {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int kMaxCandidates = 1 << 16;

int OrAllCores(int threads) { return threads == 0 ? UsableCores() : threads; }

absl::Status ReadBankFlags(RetrievalOptions* options) {
  options->bank = absl::GetFlag(FLAGS_bank);
  if (options->bank.empty()) return FlagError("bank", "missing; see --help");
  options->taught = absl::GetFlag(FLAGS_taught);
  IndexOpenOptions& index = options->index;
  index.embedder.model_dir = absl::GetFlag(FLAGS_embedder_model_dir);
  const int threads = absl::GetFlag(FLAGS_embedder_threads);
  M3_RETURN_IF_ERROR(CheckRange("embedder_threads", threads, 0, kMaxThreads));
  index.embedder.threads = OrAllCores(threads);
  index.search_candidates = absl::GetFlag(FLAGS_search_candidates);
  M3_RETURN_IF_ERROR(CheckRange("search_candidates", index.search_candidates, 1, kMaxCandidates));
  options->poll_interval = absl::GetFlag(FLAGS_poll_interval);
  return CheckDuration("poll_interval", options->poll_interval);
}

absl::Status ReadLimitFlags(RetrievalOptions* options) {
  const int threads = absl::GetFlag(FLAGS_threads);
  M3_RETURN_IF_ERROR(CheckRange("threads", threads, 0, kMaxThreads));
  options->threads = OrAllCores(threads);
  options->max_pending = absl::GetFlag(FLAGS_max_pending);
  M3_RETURN_IF_ERROR(CheckRange("max_pending", options->max_pending, 1, 1 << 20));
  options->max_queries = absl::GetFlag(FLAGS_max_queries);
  M3_RETURN_IF_ERROR(CheckRange("max_queries", options->max_queries, 1, 1 << 16));
  const int64_t query_bytes = absl::GetFlag(FLAGS_max_query_bytes).bytes;
  M3_RETURN_IF_ERROR(CheckRange("max_query_bytes", query_bytes, int64_t{1}, int64_t{1} << 30));
  options->max_query_bytes = static_cast<int>(query_bytes);
  const int64_t request_bytes = absl::GetFlag(FLAGS_max_request_bytes).bytes;
  M3_RETURN_IF_ERROR(
      CheckRange("max_request_bytes", request_bytes, int64_t{1024}, int64_t{1} << 30));
  options->grpc.max_request_bytes = static_cast<int>(request_bytes);
  options->grpc.max_concurrent_streams = absl::GetFlag(FLAGS_max_concurrent_streams);
  M3_RETURN_IF_ERROR(
      CheckRange("max_concurrent_streams", options->grpc.max_concurrent_streams, 1, 1 << 20));
  options->grpc.memory_bytes = absl::GetFlag(FLAGS_grpc_memory).bytes;
  M3_RETURN_IF_ERROR(
      CheckRange("grpc_memory", options->grpc.memory_bytes, int64_t{16} << 20, int64_t{1} << 40));
  options->grpc.max_connection_age = absl::GetFlag(FLAGS_max_connection_age);
  M3_RETURN_IF_ERROR(CheckDuration("max_connection_age", options->grpc.max_connection_age));
  options->shutdown_grace = absl::GetFlag(FLAGS_shutdown_grace);
  return CheckDuration("shutdown_grace", options->shutdown_grace);
}

}  // namespace

absl::StatusOr<RetrievalOptions> RetrievalOptionsFromFlags() {
  RetrievalOptions options;
  M3_RETURN_IF_ERROR(ReadBankFlags(&options));
  M3_RETURN_IF_ERROR(ReadLimitFlags(&options));
  options.listen_addresses =
      absl::StrSplit(absl::GetFlag(FLAGS_listen_address), ',', absl::SkipWhitespace());
  if (options.listen_addresses.empty()) return FlagError("listen_address", "must not be empty");
  options.metrics_address = absl::GetFlag(FLAGS_metrics_address);
  options.port_file = absl::GetFlag(FLAGS_port_file);
  const std::string format = absl::GetFlag(FLAGS_log_format);
  if (format != "text" && format != "json") {
    return FlagError("log_format", absl::StrCat("'", format, "' is not text or json"));
  }
  options.log_format = format == "json" ? LogFormat::kJson : LogFormat::kText;
  return options;
}

}  // namespace memory3
