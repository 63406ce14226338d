#include "server/flags.h"

#include <limits>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/byte_size.h"
#include "common/flag_checks.h"
#include "engine/base/field_error.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "engine/sampling/sampler.h"

using memory3::ByteSize;

ABSL_FLAG(std::string, model_dir, "",
          "Hugging Face folder of the model: config.json, *.safetensors, tokenizer");
ABSL_FLAG(std::string, served_model_name, "",
          "name in requests and answers; several, separated by commas, are aliases. Default: the "
          "folder's name");
ABSL_FLAG(std::string, listen_address, "127.0.0.1:8470",
          "host:port or unix:PATH; several, separated by commas. Port 0 takes a free one");
ABSL_FLAG(std::string, metrics_address, "127.0.0.1:9464",
          "host:port of /metrics, /healthz and /readyz over HTTP; empty turns them off");
ABSL_FLAG(std::string, port_file, "",
          "file that gets the number of the gRPC port once it is bound");
ABSL_FLAG(std::string, device, "auto",
          "cpu, cuda (does not start where there is none), or auto: cuda where it can be had");
ABSL_FLAG(
    double, device_memory_fraction, 0.9,
    "cuda: share of the device memory free at start that may be used; what weights, slots and "
    "workspaces leave of it is KV cache unless --kv_cache_bytes is given");
ABSL_FLAG(bool, batch_invariant, false,
          "cuda: the bits of an answer do not depend on what else runs; prompts cost one pass over "
          "the weights for every 64 tokens (docs/tuning.md). The cpu always is");
ABSL_FLAG(int, skinny_rows, memory3::kMostSkinnyRows,
          "cuda: products of a step of up to so many rows go through our own kernel, larger ones "
          "through cuBLASLt (docs/tuning.md)");
ABSL_FLAG(std::string, dtype, "bf16",
          "weights and KV cache: bf16, or f32 (twice the memory, half the speed)");
ABSL_FLAG(int, threads, 0, "compute threads of the cpu; 0: one for each core the process may use");
ABSL_FLAG(int, max_sequences, 64, "sequences that run at once");
ABSL_FLAG(int, max_batch_tokens, 256,
          "rows of one step: decoding sequences first, then prompt tokens");
ABSL_FLAG(int, max_context, 0,
          "tokens of one sequence, prompt and answer together; 0: the model's own limit");
ABSL_FLAG(ByteSize, kv_cache_bytes, ByteSize{},
          "memory of the KV cache (512MiB, 2GiB ...); 0: for --max_sequences whole contexts, at "
          "most 2 GiB on the cpu, what is left on cuda");
ABSL_FLAG(int, max_queued_requests, 256,
          "requests that wait for a place; more are refused at once");
ABSL_FLAG(int64_t, max_queued_prompt_tokens, 1 << 20,
          "prompt tokens of waiting requests; more are refused at once");
ABSL_FLAG(int, max_completion_tokens, 0, "longest answer, tokens; 0: what the context leaves");
ABSL_FLAG(int, max_stream_events, 1024, "events buffered for one reader; a slower one is cut off");
ABSL_FLAG(int, max_active_calls, 1024, "chat calls in progress; more are refused at once");
ABSL_FLAG(int, request_threads, 2, "threads that parse, render and tokenize requests");
ABSL_FLAG(float, default_temperature, 1.0f, "temperature of requests that give none");
ABSL_FLAG(int, default_top_k, 0, "top_k of requests that give none; 0: all");
ABSL_FLAG(float, default_top_p, 1.0f, "top_p of requests that give none");
ABSL_FLAG(float, default_min_p, 0.0f, "min_p of requests that give none");
ABSL_FLAG(float, default_repetition_penalty, 1.0f, "repetition_penalty of requests that give none");
ABSL_FLAG(
    std::string, bank, "",
    "folder of memories that memory3-bank built for this model; empty: a plain decoder. A link "
    "or folder that is replaced by one of a larger epoch is taken up while serving");
ABSL_FLAG(std::string, taught_dir, "",
          "folder that keeps references taught through BankService; default: beside the bank, "
          "'none': nothing can be taught");
ABSL_FLAG(std::string, retrieval_target, "127.0.0.1:8471",
          "memory3-retrieval: host:port or unix:PATH. While it is away answers go on without "
          "memories, as the policy says");
ABSL_FLAG(std::string, memory_config, "",
          "JSON object that overrides config.json's memory3; as the bank was built with");
ABSL_FLAG(std::string, memory_policy, "deadline",
          "of requests that give none: deadline (goes on without what is late), strict (waits) or "
          "off (no memory, unless a request asks for it: with deadline then)");
ABSL_FLAG(absl::Duration, memory_deadline, absl::Milliseconds(50),
          "longest wait at one chunk boundary under the deadline policy");
ABSL_FLAG(
    absl::Duration, memory_strict_timeout, absl::Seconds(30),
    "longest wait at one chunk boundary under the strict policy, which then fails the request");
ABSL_FLAG(absl::Duration, retrieval_timeout, absl::Milliseconds(200),
          "time one retrieval call has");
ABSL_FLAG(int, lead_tokens, 8,
          "tokens before a chunk boundary at which its query leaves; 0 is exactly the paper's, and "
          "waits for the memories at every boundary");
ABSL_FLAG(int, memory_slots, 0,
          "memories held on the device; 0: enough for --max_sequences, at most 1 GiB of them");
ABSL_FLAG(ByteSize, host_cache_bytes, ByteSize{int64_t{1} << 30},
          "memories kept in main memory; 0: each is read from disk");
ABSL_FLAG(std::string, memory_reader, "auto", "how memories are read: auto, io_uring or pread");
ABSL_FLAG(std::string, memory_direct, "auto",
          "reads past the page cache: on, off, or auto, which does so where it works");
ABSL_FLAG(ByteSize, max_request_bytes, ByteSize{4 << 20}, "largest request message");
ABSL_FLAG(int, max_concurrent_streams, 256, "calls in progress on one connection");
ABSL_FLAG(ByteSize, max_metadata_bytes, ByteSize{16 << 10}, "largest metadata of a call");
ABSL_FLAG(ByteSize, grpc_memory, ByteSize{int64_t{512} << 20},
          "memory of gRPC's buffers, all connections together");
ABSL_FLAG(int, grpc_max_threads, 64, "threads gRPC may start");
ABSL_FLAG(absl::Duration, max_connection_age, absl::Minutes(30),
          "age at which a connection is closed");
ABSL_FLAG(absl::Duration, max_connection_age_grace, absl::Minutes(10),
          "time its calls have left to end");
ABSL_FLAG(absl::Duration, keepalive_time, absl::Minutes(1),
          "silence after which a connection is probed");
ABSL_FLAG(absl::Duration, keepalive_timeout, absl::Seconds(20),
          "time a probed client has to answer");
ABSL_FLAG(absl::Duration, stuck_after, absl::Seconds(60),
          "a step that takes longer makes liveness fail");
ABSL_FLAG(absl::Duration, shutdown_grace, absl::Seconds(30),
          "time that streams have to end after SIGTERM");
ABSL_FLAG(std::string, log_format, "text", "text or json");

namespace memory3 {
namespace {

// Fewer, and a reader that is merely not scheduled for a few steps would be cut off.
constexpr int kMinStreamEvents = 16;

std::vector<std::string> SplitList(const std::string& list) {
  return absl::StrSplit(list, ',', absl::SkipWhitespace());
}

absl::Status ReadModelFlags(ServerOptions* options) {
  options->model_dir = absl::GetFlag(FLAGS_model_dir);
  if (options->model_dir.empty()) return FlagError("model_dir", "missing; see --help");
  options->model_names = SplitList(absl::GetFlag(FLAGS_served_model_name));
  M3_ASSIGN_OR_RETURN(options->device, ParseDevice(absl::GetFlag(FLAGS_device)));
  options->device_memory_fraction = absl::GetFlag(FLAGS_device_memory_fraction);
  if (!(options->device_memory_fraction > 0 && options->device_memory_fraction <= 1)) {
    return FlagError("device_memory_fraction",
                     absl::StrCat("must be in (0, 1], got ", options->device_memory_fraction));
  }
  options->batch_invariant = absl::GetFlag(FLAGS_batch_invariant);
  options->skinny_rows = absl::GetFlag(FLAGS_skinny_rows);
  M3_RETURN_IF_ERROR(CheckRange("skinny_rows", options->skinny_rows, 0, kMostSkinnyRows));
  const std::string dtype = absl::GetFlag(FLAGS_dtype);
  if (dtype != "bf16" && dtype != "f32")
    return FlagError("dtype", absl::StrCat("'", dtype, "' is not bf16 or f32"));
  options->dtype = dtype == "bf16" ? DType::kBF16 : DType::kF32;
  options->threads = absl::GetFlag(FLAGS_threads);
  M3_RETURN_IF_ERROR(CheckRange("threads", options->threads, 0, 1024));
  options->max_context = absl::GetFlag(FLAGS_max_context);
  M3_RETURN_IF_ERROR(CheckRange("max_context", options->max_context, 0, 1 << 28));
  options->kv_cache_bytes = absl::GetFlag(FLAGS_kv_cache_bytes).bytes;
  return absl::OkStatus();
}

absl::Status ReadMemoryFlags(ServerOptions* options) {
  MemoryOptions& memory = options->memory;
  memory.bank = absl::GetFlag(FLAGS_bank);
  const std::string taught = absl::GetFlag(FLAGS_taught_dir);
  if (!memory.bank.empty() && taught.empty()) {
    std::filesystem::path bank = memory.bank;
    if (!bank.has_filename()) bank = bank.parent_path();
    memory.taught_dir = bank.string() + "-taught";
  } else if (taught != "none") {
    memory.taught_dir = taught;
  }
  memory.retrieval_target = absl::GetFlag(FLAGS_retrieval_target);
  memory.config_override = absl::GetFlag(FLAGS_memory_config);
  const std::string policy = absl::GetFlag(FLAGS_memory_policy);
  if (policy != "deadline" && policy != "strict" && policy != "off") {
    return FlagError("memory_policy",
                     absl::StrCat("'", policy, "' is not deadline, strict or off"));
  }
  memory.used_by_default = policy != "off";
  memory.default_policy = policy == "strict" ? MemoryPolicy::kStrict : MemoryPolicy::kDeadline;
  const std::string reader = absl::GetFlag(FLAGS_memory_reader);
  if (reader != "auto" && reader != "pread" && reader != "io_uring") {
    return FlagError("memory_reader",
                     absl::StrCat("'", reader, "' is not auto, io_uring or pread"));
  }
  memory.reader = reader == "auto"    ? ReaderKind::kAuto
                  : reader == "pread" ? ReaderKind::kPread
                                      : ReaderKind::kIoUring;
  const std::string direct = absl::GetFlag(FLAGS_memory_direct);
  if (direct != "auto" && direct != "on" && direct != "off") {
    return FlagError("memory_direct", absl::StrCat("'", direct, "' is not auto, on or off"));
  }
  memory.direct = direct == "auto" ? DirectReads::kAuto
                  : direct == "on" ? DirectReads::kOn
                                   : DirectReads::kOff;
  const struct {
    absl::string_view name;
    absl::Duration value;
    absl::Duration* option;
  } durations[] = {
      {"memory_deadline", absl::GetFlag(FLAGS_memory_deadline), &memory.boundary_deadline},
      {"memory_strict_timeout", absl::GetFlag(FLAGS_memory_strict_timeout), &memory.strict_timeout},
      {"retrieval_timeout", absl::GetFlag(FLAGS_retrieval_timeout), &memory.retrieval_timeout}};
  for (const auto& duration : durations) {
    M3_RETURN_IF_ERROR(CheckDuration(duration.name, duration.value));
    *duration.option = duration.value;
  }
  memory.lead_tokens = absl::GetFlag(FLAGS_lead_tokens);
  M3_RETURN_IF_ERROR(CheckRange("lead_tokens", memory.lead_tokens, 0, 1 << 14));
  memory.slots = absl::GetFlag(FLAGS_memory_slots);
  M3_RETURN_IF_ERROR(CheckRange("memory_slots", memory.slots, 0, 1 << 16));
  memory.host_cache_bytes = absl::GetFlag(FLAGS_host_cache_bytes).bytes;
  return absl::OkStatus();
}

absl::Status ReadLimitFlags(ServerOptions* options) {
  const struct {
    absl::string_view name;
    const absl::Flag<int>& flag;
    int* to;
    int max;
    int min = 1;
  } counts[] = {
      {"max_sequences", FLAGS_max_sequences, &options->max_sequences, 1 << 14},
      {"max_batch_tokens", FLAGS_max_batch_tokens, &options->max_batch_tokens, 1 << 16},
      {"max_queued_requests", FLAGS_max_queued_requests, &options->max_queued_requests, 1 << 20},
      {"max_stream_events", FLAGS_max_stream_events, &options->max_stream_events, 1 << 20,
       kMinStreamEvents},
      {"max_active_calls", FLAGS_max_active_calls, &options->max_active_calls, 1 << 20},
      {"request_threads", FLAGS_request_threads, &options->request_threads, 256},
      {"max_concurrent_streams", FLAGS_max_concurrent_streams,
       &options->grpc.max_concurrent_streams, 1 << 20},
      {"grpc_max_threads", FLAGS_grpc_max_threads, &options->grpc.max_threads, 1 << 14}};
  for (const auto& count : counts) {
    *count.to = absl::GetFlag(count.flag);
    M3_RETURN_IF_ERROR(CheckRange(count.name, *count.to, count.min, count.max));
  }
  options->max_completion_tokens = absl::GetFlag(FLAGS_max_completion_tokens);
  M3_RETURN_IF_ERROR(
      CheckRange("max_completion_tokens", options->max_completion_tokens, 0, 1 << 28));
  options->max_queued_prompt_tokens = absl::GetFlag(FLAGS_max_queued_prompt_tokens);
  return CheckRange("max_queued_prompt_tokens", options->max_queued_prompt_tokens, int64_t{1},
                    int64_t{1} << 40);
}

absl::Status ReadSamplingFlags(ServerOptions* options) {
  SamplingParams& sampling = options->default_sampling;
  sampling.temperature = absl::GetFlag(FLAGS_default_temperature);
  sampling.top_k = absl::GetFlag(FLAGS_default_top_k);
  sampling.top_p = absl::GetFlag(FLAGS_default_top_p);
  sampling.min_p = absl::GetFlag(FLAGS_default_min_p);
  sampling.repetition_penalty = absl::GetFlag(FLAGS_default_repetition_penalty);
  const absl::Status valid = Validate(sampling, std::numeric_limits<int>::max());
  return valid.ok() ? valid
                    : absl::InvalidArgumentError(absl::StrCat("--default_", valid.message()));
}

absl::Status ReadGrpcFlags(ServerOptions* options) {
  GrpcLimits& grpc = options->grpc;
  const int64_t request_bytes = absl::GetFlag(FLAGS_max_request_bytes).bytes;
  M3_RETURN_IF_ERROR(
      CheckRange("max_request_bytes", request_bytes, int64_t{1024}, int64_t{1} << 30));
  grpc.max_request_bytes = static_cast<int>(request_bytes);
  const int64_t metadata_bytes = absl::GetFlag(FLAGS_max_metadata_bytes).bytes;
  M3_RETURN_IF_ERROR(
      CheckRange("max_metadata_bytes", metadata_bytes, int64_t{1024}, int64_t{1} << 24));
  grpc.max_metadata_bytes = static_cast<int>(metadata_bytes);
  grpc.memory_bytes = absl::GetFlag(FLAGS_grpc_memory).bytes;
  M3_RETURN_IF_ERROR(
      CheckRange("grpc_memory", grpc.memory_bytes, int64_t{16} << 20, int64_t{1} << 40));
  const struct {
    absl::string_view name;
    const absl::Flag<absl::Duration>& flag;
    absl::Duration* to;
  } durations[] = {
      {"max_connection_age", FLAGS_max_connection_age, &grpc.max_connection_age},
      {"max_connection_age_grace", FLAGS_max_connection_age_grace, &grpc.max_connection_age_grace},
      {"keepalive_time", FLAGS_keepalive_time, &grpc.keepalive_time},
      {"keepalive_timeout", FLAGS_keepalive_timeout, &grpc.keepalive_timeout},
      {"stuck_after", FLAGS_stuck_after, &options->stuck_after},
      {"shutdown_grace", FLAGS_shutdown_grace, &options->shutdown_grace}};
  for (const auto& duration : durations) {
    *duration.to = absl::GetFlag(duration.flag);
    M3_RETURN_IF_ERROR(CheckDuration(duration.name, *duration.to));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ServerOptions> OptionsFromFlags() {
  ServerOptions options;
  M3_RETURN_IF_ERROR(ReadModelFlags(&options));
  M3_RETURN_IF_ERROR(ReadMemoryFlags(&options));
  M3_RETURN_IF_ERROR(ReadLimitFlags(&options));
  M3_RETURN_IF_ERROR(ReadSamplingFlags(&options));
  M3_RETURN_IF_ERROR(ReadGrpcFlags(&options));
  options.listen_addresses = SplitList(absl::GetFlag(FLAGS_listen_address));
  if (options.listen_addresses.empty()) return FlagError("listen_address", "is empty");
  options.metrics_address = absl::GetFlag(FLAGS_metrics_address);
  options.port_file = absl::GetFlag(FLAGS_port_file);
  const std::string format = absl::GetFlag(FLAGS_log_format);
  if (format != "text" && format != "json")
    return FlagError("log_format", absl::StrCat("'", format, "' is not text or json"));
  options.log_format = format == "json" ? LogFormat::kJson : LogFormat::kText;
  return options;
}

}  // namespace memory3
