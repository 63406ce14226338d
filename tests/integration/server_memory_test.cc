// A server with a bank, asked over gRPC: what an answer's stream tells of its memories, the
// policies, references taught and deleted, newer banks, and banks that do not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/memory/bank/bank.h"
#include "memory3/v1/bank.grpc.pb.h"
#include "memory3/v1/model.grpc.pb.h"
#include "tests/integration/memory_server.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

constexpr int kChunk = 16;

v1::ChatRequest MemoryRequestFor(const std::string& prompt, int max_tokens) {
  v1::ChatRequest request = PromptRequest(prompt, max_tokens);
  request.set_memory_policy(v1::MEMORY_POLICY_STRICT);
  request.set_memory_details(true);
  return request;
}

std::vector<v1::MemoryChunk> MemoryChunks(const ChatAnswer& answer) {
  std::vector<v1::MemoryChunk> all;
  for (const v1::ChatChunk& chunk : answer.chunks) {
    all.insert(all.end(), chunk.memory_chunks().begin(), chunk.memory_chunks().end());
  }
  return all;
}

std::set<uint64_t> MemoryIds(const ChatAnswer& answer) {
  std::set<uint64_t> ids;
  for (const v1::MemoryChunk& chunk : MemoryChunks(answer)) {
    for (const v1::UsedMemory& memory : chunk.memories()) ids.insert(memory.memory_id());
  }
  return ids;
}

class ServerMemoryTest : public testing::Test {
 protected:
  ServerMemoryTest() { sidecar_.Start(); }

  grpc::Status Get(uint64_t id, v1::Reference* reference) {
    v1::GetReferenceRequest request;
    request.set_memory_id(id);
    grpc::ClientContext context;
    return bank_->GetReference(&context, request, reference);
  }
  grpc::Status Add(const std::string& text, v1::Reference* reference) {
    v1::AddReferenceRequest request;
    request.set_text(text);
    request.set_title("taught");
    grpc::ClientContext context;
    return bank_->AddReference(&context, request, reference);
  }
  grpc::Status Delete(uint64_t id) {
    v1::DeleteReferenceRequest request;
    request.set_memory_id(id);
    grpc::ClientContext context;
    v1::DeleteReferenceResponse response;
    return bank_->DeleteReference(&context, request, &response);
  }
  v1::BankInfo BankInfo() {
    grpc::ClientContext context;
    v1::BankInfo info;
    EXPECT_TRUE(bank_->GetBank(&context, v1::GetBankRequest(), &info).ok());
    return info;
  }

  const MemoryFolder folder_;
  TestSidecar sidecar_{folder_};
  TestServer server_{folder_.server_options()};
  std::unique_ptr<v1::BankService::Stub> bank_ = v1::BankService::NewStub(server_.channel());
};

TEST_F(ServerMemoryTest, TheStreamTellsEveryChunksMemories) {
  const ChatAnswer answer = Chat(server_.chat(), MemoryRequestFor("ccc number 2 of bank", 60));
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  const std::vector<v1::MemoryChunk> chunks = MemoryChunks(answer);
  ASSERT_GE(chunks.size(), 4u);
  int memories = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_EQ(chunks[i].index(), static_cast<int>(i));
    EXPECT_EQ(chunks[i].bank_epoch(), 1u);
    EXPECT_FALSE(chunks[i].late() || chunks[i].degraded()) << chunks[i].reason();
    EXPECT_EQ(chunks[i].memories_size(), kTestMemoriesPerChunk);
    EXPECT_GT(chunks[i].retrieval_seconds(), 0);
    memories += chunks[i].memories_size();
    for (const v1::UsedMemory& memory : chunks[i].memories()) {
      EXPECT_LT(memory.memory_id(), static_cast<uint64_t>(kTestReferences));
      EXPECT_NE(memory.tier(), v1::MEMORY_TIER_UNSPECIFIED);
    }
  }
  EXPECT_EQ(chunks.front().first_token(), 0);
  // The reference that the prompt quotes is the nearest, and its text can be had.
  v1::Reference reference;
  ASSERT_TRUE(Get(chunks.front().memories(0).memory_id(), &reference).ok());
  EXPECT_EQ(reference.text(), "ccc number 2 of bank 1.");
  EXPECT_EQ(reference.title(), "Title 2");
  const v1::MemoryUsage& usage = answer.chunks.back().usage().memory();
  EXPECT_EQ(usage.chunks(), static_cast<int>(chunks.size()));
  EXPECT_EQ(usage.memories(), memories);
  EXPECT_EQ(usage.late_chunks() + usage.degraded_chunks(), 0);
}

TEST_F(ServerMemoryTest, StrictAnswersRepeatAndDetailsChangeNothing) {
  const ChatAnswer first = Chat(server_.chat(), MemoryRequestFor("ddd number", 80));
  v1::ChatRequest quiet = MemoryRequestFor("ddd number", 80);
  quiet.clear_memory_details();
  const ChatAnswer second = Chat(server_.chat(), quiet);
  ASSERT_TRUE(first.status.ok() && second.status.ok());
  EXPECT_EQ(first.token_ids(), second.token_ids());
  EXPECT_TRUE(MemoryChunks(second).empty());
  grpc::ClientContext context;
  v1::ChatCompletion whole;
  ASSERT_TRUE(server_.chat().Complete(&context, MemoryRequestFor("ddd number", 80), &whole).ok());
  EXPECT_EQ(whole.message().content(), first.text());
  EXPECT_EQ(static_cast<size_t>(whole.memory_chunks_size()), MemoryChunks(first).size());
}

TEST_F(ServerMemoryTest, WithoutMemoryItIsThePlainDecoder) {
  v1::ChatRequest request = PromptRequest("eee number", 60);
  request.set_use_memory(false);
  const ChatAnswer here = Chat(server_.chat(), request);
  TestServer plain(TestOptions(QuickModel()));
  request.clear_use_memory();
  const ChatAnswer there = Chat(plain.chat(), request);
  ASSERT_TRUE(here.status.ok() && there.status.ok());
  EXPECT_EQ(here.token_ids(), there.token_ids());
  EXPECT_FALSE(here.chunks.back().usage().has_memory());
  v1::ChatRequest off = PromptRequest("eee number", 60);
  off.set_memory_policy(v1::MEMORY_POLICY_OFF);
  EXPECT_EQ(Chat(server_.chat(), off).token_ids(), here.token_ids());
  EXPECT_NE(here.token_ids(), Chat(server_.chat(), MemoryRequestFor("eee number", 60)).token_ids());
  request.set_use_memory(true);
  EXPECT_EQ(Chat(plain.chat(), request).status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  grpc::ClientContext context;
  v1::BankInfo info;
  EXPECT_EQ(v1::BankService::NewStub(plain.channel())
                ->GetBank(&context, v1::GetBankRequest(), &info)
                .error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

v1::Model ModelOf(TestServer& server) {
  grpc::ClientContext context;
  v1::Model model;
  EXPECT_TRUE(v1::ModelService::NewStub(server.channel())
                  ->GetModel(&context, v1::GetModelRequest(), &model)
                  .ok());
  return model;
}

TEST_F(ServerMemoryTest, AServersPolicyOfOffLeavesMemoryToThoseWhoAskForIt) {
  ServerOptions options = folder_.server_options();
  options.memory.taught_dir.clear();  // the other server's
  options.memory.used_by_default = false;
  TestServer server(options);
  EXPECT_EQ(ModelOf(server).memory().default_policy(), v1::MEMORY_POLICY_OFF);
  const ChatAnswer plain = Chat(server.chat(), PromptRequest("eee number", 30));
  ASSERT_TRUE(plain.status.ok()) << plain.status.error_message();
  EXPECT_FALSE(plain.chunks.back().usage().has_memory());
  const ChatAnswer asked = Chat(server.chat(), MemoryRequestFor("eee number", 30));
  ASSERT_TRUE(asked.status.ok()) << asked.status.error_message();
  EXPECT_FALSE(MemoryIds(asked).empty());
}

TEST_F(ServerMemoryTest, GetModelTellsOfMemory) {
  const v1::Model model = ModelOf(server_);
  EXPECT_EQ(model.memory().default_policy(), v1::MEMORY_POLICY_DEADLINE);
  EXPECT_EQ(model.memory().chunk_tokens(), kChunk);
  EXPECT_EQ(model.memory().memories_per_chunk(), kTestMemoriesPerChunk);
  EXPECT_EQ(model.memory().lead_tokens(), 4);
  EXPECT_LT(model.memory().max_context_tokens(), model.limits().max_context_tokens() - 64);
  const v1::BankInfo info = BankInfo();
  EXPECT_EQ(info.epoch(), 1u);
  EXPECT_EQ(info.references(), static_cast<uint64_t>(kTestReferences));
  EXPECT_EQ(info.max_reference_tokens(), 64);
}

TEST_F(ServerMemoryTest, WithoutASidecarThePolicyDecides) {
  sidecar_.Stop();
  v1::ChatRequest request = MemoryRequestFor("fff number", 60);
  request.set_memory_policy(v1::MEMORY_POLICY_DEADLINE);
  const ChatAnswer degraded = Chat(server_.chat(), request);
  ASSERT_TRUE(degraded.status.ok()) << degraded.status.error_message();
  ASSERT_FALSE(MemoryChunks(degraded).empty());
  for (const v1::MemoryChunk& chunk : MemoryChunks(degraded)) {
    EXPECT_TRUE(chunk.late() || chunk.degraded());
    EXPECT_NE(chunk.reason(), "");
    EXPECT_EQ(chunk.memories_size(), 0);
  }
  request.set_memory_required(true);
  const ChatAnswer refused = Chat(server_.chat(), request);
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.status.error_message(), HasSubstr("chunk"));
  // The server stays ready, and a strict answer waits until the sidecar is back.
  EXPECT_EQ(server_.Sample("memory3_ready"), 1);
  ChatStream strict(server_.chat(), MemoryRequestFor("fff number", 60));
  ASSERT_TRUE(Eventually([&] { return server_.Sample("memory3_waiting_for_memory") == 1; }));
  sidecar_.Start();
  const ChatAnswer waited = strict.ReadAll();
  ASSERT_TRUE(waited.status.ok()) << waited.status.error_message();
  EXPECT_EQ(waited.token_ids(),
            Chat(server_.chat(), MemoryRequestFor("fff number", 60)).token_ids());
}

TEST_F(ServerMemoryTest, TeachesAndForgets) {
  const std::string text = "zyx quagga w1";
  v1::Reference taught;
  const grpc::Status added = Add(text, &taught);
  ASSERT_TRUE(added.ok()) << added.error_message();
  EXPECT_EQ(taught.text(), text);
  EXPECT_GT(taught.tokens(), 0);
  v1::Reference found;
  ASSERT_TRUE(Get(taught.memory_id(), &found).ok());
  EXPECT_EQ(found.title(), "taught");
  EXPECT_EQ(BankInfo().taught_references(), 1u);

  ChatAnswer answer = Chat(server_.chat(), MemoryRequestFor(text, 30));
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_TRUE(MemoryIds(answer).contains(taught.memory_id()));

  ASSERT_TRUE(Delete(taught.memory_id()).ok());
  EXPECT_EQ(Get(taught.memory_id(), &found).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Delete(taught.memory_id()).error_code(), grpc::StatusCode::NOT_FOUND);
  answer = Chat(server_.chat(), MemoryRequestFor(text, 30));
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_FALSE(MemoryIds(answer).contains(taught.memory_id()));
  EXPECT_EQ(BankInfo().deleted_references(), 1u);

  // One of the bank's own.
  ASSERT_TRUE(Delete(2).ok());
  answer = Chat(server_.chat(), MemoryRequestFor("ccc number 2 of bank", 30));
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_FALSE(MemoryIds(answer).contains(2));
  EXPECT_EQ(Delete(kTestReferences).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerMemoryTest, ATextIsNotStoredTwice) {
  v1::Reference first, again;
  ASSERT_TRUE(Add("zyx quagga w1", &first).ok());
  ASSERT_TRUE(Add("zyx quagga w1", &again).ok());
  EXPECT_EQ(again.memory_id(), first.memory_id());
  EXPECT_EQ(again.tokens(), first.tokens());
  ASSERT_TRUE(Add("zyx quagga w2", &again).ok());
  EXPECT_NE(again.memory_id(), first.memory_id());
  // One of the bank's own, under its own title.
  ASSERT_TRUE(Add("ccc number 2 of bank 1.", &again).ok());
  EXPECT_EQ(again.memory_id(), 2u);
  EXPECT_EQ(again.title(), "Title 2");
  EXPECT_EQ(BankInfo().taught_references(), 2u);
  // What was deleted can be taught anew.
  ASSERT_TRUE(Delete(2).ok());
  ASSERT_TRUE(Add("ccc number 2 of bank 1.", &again).ok());
  EXPECT_GT(again.memory_id(), first.memory_id());
  EXPECT_EQ(again.title(), "taught");
  // A call that the sidecar did not learn of can be repeated until it does.
  sidecar_.Stop();
  EXPECT_EQ(Add("zyx quagga w3", &again).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Add("zyx quagga w3", &again).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  sidecar_.Start();
  EXPECT_TRUE(Eventually([&] { return Add("zyx quagga w3", &again).ok(); }));
  EXPECT_EQ(BankInfo().taught_references(), 4u);
}

TEST_F(ServerMemoryTest, ReferencesThatCannotBeTaughtAreRefusedByField) {
  v1::Reference none;
  for (const std::string& text : {std::string(), std::string(65, 'x')}) {
    const grpc::Status status = Add(text, &none);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    ASSERT_TRUE(BadRequestOf(status).has_value());
    EXPECT_EQ(BadRequestOf(status)->field_violations(0).field(), "text");
  }
  EXPECT_EQ(BankInfo().taught_references(), 0u);
  sidecar_.Stop();
  const grpc::Status stored = Add("kept for later", &none);
  EXPECT_EQ(stored.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(stored.error_message(), HasSubstr("is stored, but the sidecar"));
  EXPECT_EQ(BankInfo().taught_references(), 1u);
}

TEST_F(ServerMemoryTest, WhatWasTaughtOutlivesTheServer) {
  v1::Reference taught;
  ASSERT_TRUE(Add("zyx quagga w1", &taught).ok());
  const std::vector<int32_t> before =
      Chat(server_.chat(), MemoryRequestFor("zyx quagga w1", 40)).token_ids();
  // A second server may not write to the same log.
  std::FILE* const null = std::fopen("/dev/null", "w");
  Logger log(null, LogFormat::kText);
  absl::StatusOr<std::unique_ptr<Server>> second = Server::Start(folder_.server_options(), log);
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE((*second)->LoadModel().ok());
  second->reset();
  std::fclose(null);
  ServerOptions options = folder_.server_options();
  const std::filesystem::path copy = folder_.taught().string() + "2";
  std::filesystem::copy(folder_.taught(), copy);
  options.memory.taught_dir = copy;
  TestServer again(options);
  const ChatAnswer answer = Chat(again.chat(), MemoryRequestFor("zyx quagga w1", 40));
  EXPECT_EQ(answer.token_ids(), before);
  EXPECT_TRUE(MemoryIds(answer).contains(taught.memory_id()));
}

TEST_F(ServerMemoryTest, TakesUpANewerBank) {
  MemoryFolder folder;
  TestSidecar sidecar(folder);
  sidecar.Start();
  TestServer server(folder.server_options());
  EXPECT_EQ(server.Sample("memory3_bank_epoch"), 1);
  folder.Publish(2);
  ASSERT_TRUE(Eventually([&] { return server.Sample("memory3_bank_epoch") == 2; }));
  ASSERT_TRUE(Eventually([&] {
    const ChatAnswer answer = Chat(server.chat(), MemoryRequestFor("ggg number 6", 30));
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    return MemoryChunks(answer).back().bank_epoch() == 2;
  }));
}

// The sidecar takes the newer bank up at once, the server when it looks next.
TEST_F(ServerMemoryTest, UnderStrictABankThatTheServerHasNotTakenUpYetCostsNoMemory) {
  MemoryFolder folder;
  TestSidecar sidecar(folder);
  sidecar.Start();
  TestServer server(folder.server_options());
  const std::string outdated = "memory3_retrieval_calls_total{code=\"ABORTED\"}";
  // The server may happen to look just then.
  for (int epoch = 2; epoch < 8 && !(server.Sample(outdated) > 0); ++epoch) {
    folder.Publish(epoch);
    sidecar.Refresh();
    const ChatAnswer answer = Chat(server.chat(), MemoryRequestFor("ggg number 6", 60));
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    for (const v1::MemoryChunk& chunk : MemoryChunks(answer)) {
      EXPECT_FALSE(chunk.late() || chunk.degraded()) << chunk.reason();
      EXPECT_EQ(chunk.bank_epoch(), static_cast<uint64_t>(epoch));
    }
  }
  EXPECT_GT(server.Sample(outdated), 0);
}

TEST_F(ServerMemoryTest, AColdBankIsEncodedAsItIsRetrieved) {
  const v1::ChatRequest request = MemoryRequestFor("iii number", 60);
  const MemoryFolder folder(BankKind::kCold);
  TestSidecar sidecar(folder);
  sidecar.Start();
  TestServer cold(folder.server_options());
  const ChatAnswer first = Chat(cold.chat(), request);
  ASSERT_TRUE(first.status.ok()) << first.status.error_message();
  EXPECT_EQ(MemoryChunks(first).front().memories(0).tier(), v1::MEMORY_TIER_ENCODED);
  EXPECT_GT(cold.Sample("memory3_memories_total{tier=\"encoded\"}"), 0);
  // The memories are those that a bank would have held, and nothing is encoded twice.
  EXPECT_EQ(first.token_ids(), Chat(server_.chat(), request).token_ids());
  const ChatAnswer second = Chat(cold.chat(), request);
  EXPECT_EQ(second.token_ids(), first.token_ids());
  for (const v1::MemoryChunk& chunk : MemoryChunks(second)) {
    for (const v1::UsedMemory& memory : chunk.memories()) {
      EXPECT_NE(memory.tier(), v1::MEMORY_TIER_ENCODED);
    }
  }
}

TEST(ServerMemoryStartTest, ABankOfAnotherModelIsRefusedNamingBoth) {
  const MemoryFolder folder;
  ServerOptions options = folder.server_options();
  const SynthFolder other([] {
    SynthShape shape = QuickShape();
    shape.mlp *= 2;
    return shape;
  }());
  options.model_dir = other.path();
  std::FILE* const null = std::fopen("/dev/null", "w");
  Logger log(null, LogFormat::kText);
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options, log);
  ASSERT_TRUE(server.ok());
  const absl::Status loaded = (*server)->LoadModel();
  EXPECT_EQ(loaded.code(), absl::StatusCode::kFailedPrecondition) << loaded;
  EXPECT_THAT(std::string(loaded.message()), HasSubstr(options.memory.bank.string()));
  const auto bank = Bank::Open(folder.bank());
  ASSERT_TRUE(bank.ok()) << bank.status();
  EXPECT_THAT(std::string(loaded.message()), HasSubstr((*bank)->manifest().model_fingerprint));
  EXPECT_THAT(std::string(loaded.message()), ContainsRegex("this model's is [0-9a-f]+"));
  server->reset();
  std::fclose(null);
}

}  // namespace
}  // namespace memory3
