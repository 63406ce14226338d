// memory3-bench serve: a running server under load, as its clients see it.
#include <grpcpp/client_context.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "memory3/v1/chat.grpc.pb.h"
#include "memory3/v1/model.grpc.pb.h"
#include "tools/bench_commands.h"
#include "tools/bench_flags.h"
#include "tools/bench_workload.h"
#include "tools/grpc_load.h"
#include "tools/rpc_client.h"

ABSL_FLAG(std::string, target, "127.0.0.1:8470", "Server: HOST:PORT or unix:/path.");
ABSL_FLAG(std::vector<std::string>, streams, std::vector<std::string>({"1", "8", "16"}),
          "Numbers of concurrent streams; a row for each.");
ABSL_FLAG(int, requests, 0, "Requests of a row, or lines of the trace; 0: one per stream, or all.");
ABSL_FLAG(std::string, trace, "",
          "Replay this trace instead of --streams, --prompt and --generate: JSON lines with "
          "timestamp (ms), input_length and output_length. Requests start at their time whatever "
          "is still running.");
ABSL_FLAG(double, trace_speed, 1, "Replay the trace that many times as fast.");
ABSL_FLAG(double, trace_length_scale, 1, "Multiply the trace's lengths by this.");
ABSL_FLAG(double, wait_ready, 10, "Seconds to wait for the server to be serving.");

namespace memory3 {
namespace {

constexpr int kWarmUpTokens = 4;

absl::StatusOr<v1::Model> GetServedModel(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  v1::Model model;
  const grpc::Status status = v1::ModelService::NewStub(channel)->GetModel(&context, {}, &model);
  if (!status.ok()) return absl::UnavailableError(Describe(status));
  if (model.vocab_size() < 1) return absl::InternalError("the server names no vocabulary size");
  return model;
}

void AddRow(const std::string& name, size_t requests, const LoadSummary& summary, Table* table) {
  std::vector<Cell> row = {Cell(name), Cell(static_cast<int64_t>(requests)),
                           Cell(int64_t{summary.finished})};
  for (Cell& cell : LoadCells(summary)) row.push_back(std::move(cell));
  row.emplace_back(DescribeErrors(summary));
  table->AddRow(std::move(row));
}

absl::Status BenchStreams(v1::ChatService::Stub& stub, const v1::Model& model,
                          BenchReport* report) {
  M3_RETURN_IF_ERROR(CheckSharedFlags());
  M3_ASSIGN_OR_RETURN(const std::vector<int> rows,
                      PositiveNumbers("streams", absl::GetFlag(FLAGS_streams)));
  const int prompt = absl::GetFlag(FLAGS_prompt);
  const int generate = absl::GetFlag(FLAGS_generate);
  for (const int streams : rows) {
    const GrpcLoadOptions options = {streams, absl::GetFlag(FLAGS_seed), model.vocab_size()};
    const int asked = absl::GetFlag(FLAGS_requests);
    const int requests = asked > 0 ? asked : streams;
    RunGrpcLoad(
        stub,
        UniformWorkload(std::min(streams, requests), prompt, std::min(generate, kWarmUpTokens)),
        options);
    const LoadSummary summary = MedianRun(
        [&] { return RunGrpcLoad(stub, UniformWorkload(requests, prompt, generate), options); });
    AddRow(absl::StrCat(streams), requests, summary, &report->table);
  }
  report->notes.emplace_back("workload",
                             absl::StrFormat("prompt %d, generate %d", prompt, generate));
  return absl::OkStatus();
}

absl::Status BenchTrace(v1::ChatService::Stub& stub, const v1::Model& model, BenchReport* report) {
  TraceOptions options;
  options.speed = absl::GetFlag(FLAGS_trace_speed);
  options.length_scale = absl::GetFlag(FLAGS_trace_length_scale);
  if (!(options.speed > 0)) return absl::InvalidArgumentError("--trace_speed: must be positive");
  if (!(options.length_scale > 0)) {
    return absl::InvalidArgumentError("--trace_length_scale: must be positive");
  }
  options.max_requests = absl::GetFlag(FLAGS_requests);
  options.max_context_tokens = model.limits().max_context_tokens();
  options.max_generate_tokens = model.limits().max_completion_tokens();
  M3_ASSIGN_OR_RETURN(const Trace trace, LoadTrace(absl::GetFlag(FLAGS_trace), options));
  const GrpcLoadOptions load = {0, absl::GetFlag(FLAGS_seed), model.vocab_size()};
  RunGrpcLoad(stub, UniformWorkload(1, trace.requests[0].prompt_tokens, 1), load);
  const LoadSummary summary = MedianRun([&] { return RunGrpcLoad(stub, trace.requests, load); });
  AddRow("trace", trace.requests.size(), summary, &report->table);
  report->notes.emplace_back(
      "workload",
      absl::StrFormat("%s, %.3g times as fast, lengths times %.3g, %d requests cut to "
                      "the server's limits",
                      absl::GetFlag(FLAGS_trace), options.speed, options.length_scale, trace.cut));
  return absl::OkStatus();
}

}  // namespace

absl::Status BenchServe(BenchReport* report) {
  if (absl::GetFlag(FLAGS_requests) < 0) {
    return absl::InvalidArgumentError("--requests: must not be negative");
  }
  const std::string target = absl::GetFlag(FLAGS_target);
  const std::shared_ptr<grpc::Channel> channel = ConnectTo(target);
  M3_RETURN_IF_ERROR(WaitUntilServing(channel, absl::Seconds(absl::GetFlag(FLAGS_wait_ready))));
  M3_ASSIGN_OR_RETURN(const v1::Model model, GetServedModel(channel));
  report->notes = {
      {"server", absl::StrFormat("%s serves %s (%s) in %s on %s", target, model.name(),
                                 model.architecture(), model.dtype(), model.device())}};
  std::vector<std::string> columns = {"streams", "requests", "finished"};
  for (std::string& column : LoadColumns()) columns.push_back(std::move(column));
  columns.emplace_back("errors");
  report->table = Table(std::move(columns));
  report->explanations = LoadExplanations();

  const std::unique_ptr<v1::ChatService::Stub> stub = v1::ChatService::NewStub(channel);
  return absl::GetFlag(FLAGS_trace).empty() ? BenchStreams(*stub, model, report)
                                            : BenchTrace(*stub, model, report);
}

}  // namespace memory3
