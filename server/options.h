// Everything that can be set about a server. The flags of memory3-server fill it in
// (server/flags.cc); tests do so directly.
#ifndef MEMORY3_SERVER_OPTIONS_H_
#define MEMORY3_SERVER_OPTIONS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/grpc_limits.h"
#include "common/log.h"
#include "engine/device_runner.h"
#include "engine/generation.h"
#include "engine/memory/reader_options.h"
#include "engine/model/safetensors.h"
#include "engine/runner/sampling_params.h"

namespace memory3 {

// Explicit memory; used when there is a bank.
struct MemoryOptions {
  std::filesystem::path bank;        // empty: a plain decoder
  std::filesystem::path taught_dir;  // empty: nothing can be taught
  std::string retrieval_target;      // HOST:PORT or unix:PATH
  std::string config_override;       // JSON, wins over config.json's memory3
  MemoryPolicy default_policy = MemoryPolicy::kDeadline;
  bool used_by_default = true;  // false: by requests that ask for it
  absl::Duration boundary_deadline = absl::Milliseconds(50);
  absl::Duration strict_timeout = absl::Seconds(30);
  absl::Duration retrieval_timeout = absl::Milliseconds(200);
  int lead_tokens = 8;
  int slots = 0;  // 0: for max_sequences sequences
  int64_t host_cache_bytes = int64_t{1} << 30;
  ReaderKind reader = ReaderKind::kAuto;
  DirectReads direct = DirectReads::kAuto;
};

struct ServerOptions {
  std::filesystem::path model_dir;
  std::vector<std::string>
      model_names;  // the first is the one in answers; empty: the folder's name
  std::vector<std::string> listen_addresses = {
      "127.0.0.1:8470"};                           // host:port or unix:PATH; port 0: a free one
  std::string metrics_address = "127.0.0.1:9464";  // empty: off
  std::filesystem::path port_file;                 // gets the gRPC port once bound; empty: none

  Device device = Device::kAuto;
  double device_memory_fraction = 0.9;
  bool batch_invariant = false;
  int skinny_rows = kMostSkinnyRows;
  DType dtype = DType::kBF16;
  int threads = 0;  // 0: one per usable core
  int max_sequences = 64;
  int max_batch_tokens = 256;
  int max_context = 0;         // 0: the model's
  int64_t kv_cache_bytes = 0;  // 0: the runner's default
  int max_queued_requests = 256;
  int64_t max_queued_prompt_tokens = 1 << 20;
  int max_completion_tokens = 0;  // 0: what the context allows
  int max_stream_events = 1024;
  int max_active_calls = 1024;
  int request_threads = 2;  // parse, render and tokenize requests
  SamplingParams default_sampling;
  MemoryOptions memory;

  GrpcLimits grpc;
  absl::Duration stuck_after = absl::Seconds(60);
  absl::Duration shutdown_grace = absl::Seconds(30);
  LogFormat log_format = LogFormat::kText;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_OPTIONS_H_
