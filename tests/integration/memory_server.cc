#include "tests/integration/memory_server.h"

#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <fstream>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "gtest/gtest.h"
#include "memory3/v1/retrieval.grpc.pb.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

// As many different words as there are letters in them, so that a query meets its own reference.
std::string TestReference(int number, int epoch) {
  const std::string name(3, static_cast<char>('a' + number % 26));
  return absl::StrCat(name, " number ", number, " of bank ", epoch, ".");
}

// Of one model and epoch: built once for the whole test program.
const std::filesystem::path& BuiltBank(int epoch, BankKind kind) {
  static const SynthFolder* const home = new SynthFolder(QuickShape());
  static std::map<std::pair<int, BankKind>, std::filesystem::path> built;
  std::filesystem::path& bank = built[{epoch, kind}];
  if (bank.empty()) {
    bank = home->path().parent_path() /
           absl::StrCat("bank", epoch, kind == BankKind::kCold ? "cold" : "");
    BuildTestBank(QuickModel(), bank, epoch, kind);
  }
  return bank;
}

}  // namespace

void BuildTestBank(const std::filesystem::path& model, const std::filesystem::path& out, int epoch,
                   BankKind kind) {
  const std::string input = out.string() + ".jsonl";
  std::ofstream file(input);
  for (int i = 0; i < kTestReferences; ++i) {
    file << "{\"text\": \"" << TestReference(i, epoch) << "\", \"title\": \"Title " << i << "\"}\n";
  }
  file.close();
  const std::string command = absl::StrCat(
      M3_BINARY_DIR "/bin/memory3-bank build --model_dir=", model.string(), " --input=", input,
      " --out=", out.string(), " --epoch=", epoch, " --threads=1", " --memory_config='",
      kTestMemoryConfig, "'", kind == BankKind::kCold ? " --cold" : "", " >/dev/null 2>&1");
  M3_CHECK(std::system(command.c_str()) == 0);
}

MemoryFolder::MemoryFolder(BankKind kind) {
  std::string pattern = testing::TempDir() + "/m3_memory_XXXXXX";
  M3_CHECK(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
  Publish(1, kind);
}

MemoryFolder::~MemoryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void MemoryFolder::Publish(int epoch, BankKind kind) { TurnTo(BuiltBank(epoch, kind)); }

void MemoryFolder::PublishDamaged() {
  const std::filesystem::path damaged = path_ / "damaged";
  std::filesystem::create_directory(damaged);
  std::ofstream(damaged / "MANIFEST") << "not a manifest";
  TurnTo(damaged);
}

void MemoryFolder::TurnTo(const std::filesystem::path& bank) {
  const std::filesystem::path link = path_ / "next";
  std::filesystem::create_directory_symlink(bank, link);
  std::filesystem::rename(link, this->bank());
}

ServerOptions MemoryFolder::server_options() const {
  ServerOptions options = TestOptions(QuickModel());
  options.max_sequences = 8;
  options.memory.bank = bank();
  options.memory.taught_dir = taught();
  options.memory.retrieval_target = sidecar_address();
  options.memory.config_override = kTestMemoryConfig;
  options.memory.lead_tokens = 4;
  // A loaded machine must not make an answer late that has all it needs.
  options.memory.retrieval_timeout = absl::Seconds(10);
  options.memory.boundary_deadline = absl::Seconds(10);
  return options;
}

TestSidecar::TestSidecar(const MemoryFolder& folder)
    : log_file_(std::fopen("/dev/null", "w")), log_(log_file_, LogFormat::kText) {
  options_.bank = folder.bank();
  options_.taught = folder.taught();
  options_.listen_addresses = {folder.sidecar_address()};
  options_.metrics_address.clear();
  options_.shutdown_grace = absl::ZeroDuration();
}

TestSidecar::~TestSidecar() {
  Stop();
  std::fclose(log_file_);
}

void TestSidecar::Start() {
  absl::StatusOr<std::unique_ptr<RetrievalServer>> server = RetrievalServer::Start(options_, log_);
  M3_CHECK(server.ok());
  server_ = *std::move(server);
  const auto stub = v1::RetrievalService::NewStub(
      grpc::CreateChannel(options_.listen_addresses.front(), grpc::InsecureChannelCredentials()));
  M3_CHECK(Eventually([&] {
    grpc::ClientContext context;
    v1::RetrievalInfo info;
    return stub->GetInfo(&context, v1::GetRetrievalInfoRequest(), &info).ok();
  }));
}

void TestSidecar::Refresh() {
  const auto stub = v1::RetrievalService::NewStub(
      grpc::CreateChannel(options_.listen_addresses.front(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::RetrievalInfo info;
  M3_CHECK(stub->Refresh(&context, v1::RefreshRequest(), &info).ok());
}

void TestSidecar::Stop() { server_.reset(); }

}  // namespace memory3
