#include "retrieval/service/retrieval_service.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/request_parsing.h"
#include "common/status_details.h"
#include "engine/base/field_error.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

// Queries that are embedded together, and between which the client's patience is looked at.
constexpr size_t kQueryBatch = 16;

absl::StatusOr<std::shared_ptr<const Snapshot>> Served(const BankFollower& bank) {
  std::shared_ptr<const Snapshot> snapshot = bank.snapshot();
  if (snapshot != nullptr) return snapshot;
  return WithRetryDelay(absl::UnavailableError("there is no bank to retrieve from yet"),
                        kRetryWhenNotServing);
}

v1::RetrievalInfo Describe(const Snapshot& snapshot) {
  v1::RetrievalInfo info;
  info.set_bank_epoch(snapshot.epoch);
  info.set_references(snapshot.references());
  info.set_taught_references(snapshot.taught.size());
  info.set_deleted_references(snapshot.deleted.size());
  info.set_model_fingerprint(snapshot.model_fingerprint);
  info.set_embedder(snapshot.index->embedder().name());
  info.set_dimensions(snapshot.index->embedder().dimensions());
  info.set_taught_log_entries(snapshot.log_entries);
  return info;
}

// Why nobody waits for the answer any more.
absl::Status Abandoned(const grpc::CallbackServerContext& context) {
  if (context.deadline() <= std::chrono::system_clock::now()) {
    return absl::DeadlineExceededError("the deadline passed before the search was done");
  }
  return context.IsCancelled() ? absl::CancelledError("cancelled by the client") : absl::OkStatus();
}

}  // namespace

RetrievalServiceImpl::RetrievalServiceImpl(const RetrievalOptions& options, BankFollower& bank,
                                           WorkQueue& work, RetrievalMetrics& metrics,
                                           std::function<void()> refreshed)
    : options_(options),
      bank_(bank),
      work_(work),
      metrics_(metrics),
      refreshed_(std::move(refreshed)) {}

template <typename Request, typename Handler>
grpc::ServerUnaryReactor* RetrievalServiceImpl::Answer(const char* method,
                                                       grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* bytes,
                                                       grpc::ByteBuffer* response,
                                                       Handler handler) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::Time arrival = absl::Now();
  const auto finish = [this, method, arrival, reactor](const absl::Status& status) {
    metrics_.OnRequest(method, status.code(), absl::Now() - arrival);
    reactor->Finish(ToGrpcStatus(status));
  };
  // Context, bytes and response live until Finish, which only the task calls.
  auto task = [context, bytes, response, finish, handler = std::move(handler)] {
    if (const absl::Status abandoned = Abandoned(*context); !abandoned.ok()) {
      return finish(abandoned);
    }
    Request request;
    if (const absl::Status parsed = ParseRequest(*bytes, &request); !parsed.ok()) {
      return finish(parsed);
    }
    const auto reply = handler(request);
    if (reply.ok()) *response = SerializeReply(*reply);
    finish(reply.status());
  };
  if (!work_.TryPush(std::move(task))) {
    finish(WithRetryDelay(absl::ResourceExhaustedError("too many requests are waiting"),
                          kRetryWhenFull));
  }
  return reactor;
}

grpc::ServerUnaryReactor* RetrievalServiceImpl::Retrieve(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  return Answer<v1::RetrieveRequest>(
      "Retrieve", context, request, response,
      [this, context](const v1::RetrieveRequest& parsed) { return DoRetrieve(*context, parsed); });
}

grpc::ServerUnaryReactor* RetrievalServiceImpl::GetInfo(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request,
                                                        grpc::ByteBuffer* response) {
  return Answer<v1::GetRetrievalInfoRequest>(
      "GetInfo", context, request, response,
      [this](const v1::GetRetrievalInfoRequest&) -> absl::StatusOr<v1::RetrievalInfo> {
        M3_ASSIGN_OR_RETURN(const std::shared_ptr<const Snapshot> snapshot, Served(bank_));
        return Describe(*snapshot);
      });
}

grpc::ServerUnaryReactor* RetrievalServiceImpl::Refresh(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request,
                                                        grpc::ByteBuffer* response) {
  return Answer<v1::RefreshRequest>("Refresh", context, request, response,
                                    [this](const v1::RefreshRequest&) { return DoRefresh(); });
}

absl::Status RetrievalServiceImpl::Check(const v1::RetrieveRequest& request) const {
  const int queries = request.queries_size();
  if (queries < 1 || queries > options_.max_queries) {
    return FieldError("queries",
                      absl::StrCat("must be 1 to ", options_.max_queries, " texts, got ", queries));
  }
  for (int i = 0; i < queries; ++i) {
    const size_t bytes = request.queries(i).size();
    if (bytes <= static_cast<size_t>(options_.max_query_bytes)) continue;
    return FieldError(
        absl::StrCat("queries[", i, "]"),
        absl::StrCat("must be at most ", options_.max_query_bytes, " bytes, got ", bytes));
  }
  if (request.limit() < 0 || request.limit() > kMaxRetrieveLimit) {
    return FieldError(
        "limit", absl::StrCat("must be in [0, ", kMaxRetrieveLimit, "], got ", request.limit()));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::RetrieveResponse> RetrievalServiceImpl::DoRetrieve(
    const grpc::CallbackServerContext& context, const v1::RetrieveRequest& request) const {
  M3_RETURN_IF_ERROR(Check(request));
  M3_ASSIGN_OR_RETURN(const std::shared_ptr<const Snapshot> snapshot, Served(bank_));
  const Embedder& embedder = snapshot->index->embedder();
  const auto width = static_cast<size_t>(embedder.dimensions());
  const int limit = request.limit() == 0 ? kDefaultRetrieveLimit : request.limit();
  const std::vector<std::string_view> texts(request.queries().begin(), request.queries().end());
  std::vector<float> vectors(std::min(texts.size(), kQueryBatch) * width);
  v1::RetrieveResponse response;
  response.set_bank_epoch(snapshot->epoch);
  for (size_t begin = 0; begin < texts.size(); begin += kQueryBatch) {
    M3_RETURN_IF_ERROR(Abandoned(context));
    const size_t count = std::min(kQueryBatch, texts.size() - begin);
    const absl::Span<float> rows(vectors.data(), count * width);
    M3_RETURN_IF_ERROR(embedder.Embed(absl::MakeConstSpan(texts).subspan(begin, count), rows));
    for (size_t i = 0; i < count; ++i) {
      M3_ASSIGN_OR_RETURN(const std::vector<ScoredId> found,
                          snapshot->Search(rows.subspan(i * width, width), limit));
      v1::RetrieveResult* result = response.add_results();
      for (const ScoredId& scored : found) {
        v1::ScoredMemory* memory = result->add_memories();
        memory->set_memory_id(scored.id);
        memory->set_score(scored.score);
      }
    }
  }
  metrics_.OnQueries(request.queries_size());
  return response;
}

absl::StatusOr<v1::RetrievalInfo> RetrievalServiceImpl::DoRefresh() const {
  const absl::Status polled = bank_.Poll(/*again=*/true);
  refreshed_();
  M3_RETURN_IF_ERROR(polled);
  M3_ASSIGN_OR_RETURN(const std::shared_ptr<const Snapshot> snapshot, Served(bank_));
  return Describe(*snapshot);
}

}  // namespace memory3
