// The sidecar as a program on a bank that memory3-bank built: what an operator puts together.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "memory3/v1/retrieval.grpc.pb.h"
#include "tests/integration/logged_process.h"
#include "tests/integration/synth_folder.h"
#include "tests/unit/memory/reader_testing.h"
#include "tests/unit/tools/child_process.h"

namespace memory3 {
namespace {

const std::vector<std::string>& Texts() {
  static const auto* const kTexts = new std::vector<std::string>{
      "The lighthouse on the northern cape was built in 1871 by Ada Moreno.",
      "Bread rises because yeast turns sugar into carbon dioxide.",
      "The longest river of the island flows east and reaches the sea at Port Lume.",
      "A violin has four strings, tuned in fifths.",
      "茶叶需要用八十度的水冲泡，水太热会变苦。",
      "长城的东端是山海关，西端是嘉峪关。",
      "Comets have tails that point away from the sun."};
  return *kTexts;
}

TEST(RetrievalBankTest, FindsWhatTheBankProgramBuilt) {
  const TempFolder folder;
  const std::string bank = (folder.path() / "bank").string();
  const std::string input = (folder.path() / "texts.jsonl").string();
  {
    std::ofstream lines(input);
    for (const std::string& text : Texts()) lines << absl::StrCat("{\"text\": \"", text, "\"}\n");
  }
  const FinishedProgram built = RunProgram(
      {M3_BINARY_DIR "/bin/memory3-bank", "build", "--model_dir=" + QuickModel().string(),
       "--input=" + input, "--out=" + bank, "--epoch=7", "--threads=1"},
      "");
  ASSERT_EQ(built.status, 0) << built.err;

  const std::string address = absl::StrCat("unix:", (folder.path() / "socket").string());
  LoggedProcess sidecar({M3_BINARY_DIR "/bin/memory3-retrieval", "--bank=" + bank,
                         "--listen_address=" + address, "--metrics_address=", "--log_format=json"});
  ASSERT_TRUE(sidecar.AwaitLog("serving bank").has_value()) << sidecar.log();
  const auto stub = v1::RetrievalService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext asked;
  v1::RetrievalInfo info;
  ASSERT_TRUE(stub->GetInfo(&asked, v1::GetRetrievalInfoRequest(), &info).ok());
  EXPECT_EQ(info.bank_epoch(), 7u);
  EXPECT_EQ(info.references(), Texts().size());

  // Part of each text finds the text; its id is its place in the input.
  const std::vector<std::string> queries = {"who built the lighthouse on the cape?",
                                            "why does bread rise",
                                            "the longest river of the island",
                                            "strings of a violin",
                                            "泡茶用多少度的水",
                                            "山海关在长城的哪一端",
                                            "the tails of comets"};
  v1::RetrieveRequest request;
  for (const std::string& query : queries) request.add_queries(query);
  request.set_limit(3);
  grpc::ClientContext context;
  v1::RetrieveResponse response;
  const grpc::Status status = stub->Retrieve(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.bank_epoch(), 7u);
  ASSERT_EQ(response.results_size(), static_cast<int>(queries.size()));
  for (int i = 0; i < response.results_size(); ++i) {
    ASSERT_GT(response.results(i).memories_size(), 0) << queries[i];
    EXPECT_EQ(response.results(i).memories(0).memory_id(), static_cast<uint64_t>(i)) << queries[i];
  }
  sidecar.Signal(SIGTERM);
  EXPECT_EQ(sidecar.Wait(absl::Seconds(30)), 0) << sidecar.log();
}

}  // namespace
}  // namespace memory3
