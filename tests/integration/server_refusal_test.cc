// Requests that cannot be honoured are refused with a status that names the field.
#include <grpcpp/generic/generic_stub.h>

#include <fstream>
#include <future>
#include <iterator>
#include <limits>
#include <set>

#include "gtest/gtest.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct BadCase {
  const char* field;
  void (*spoil)(v1::ChatRequest& request);
};

const BadCase kBadCases[] = {
    {"messages", [](v1::ChatRequest& r) { r.clear_messages(); }},
    {"messages[0].role",
     [](v1::ChatRequest& r) { r.mutable_messages(0)->set_role(v1::ROLE_UNSPECIFIED); }},
    {"messages[0].role",
     [](v1::ChatRequest& r) { r.mutable_messages(0)->set_role(static_cast<v1::Role>(77)); }},
    {"messages[1].content", [](v1::ChatRequest& r) { r.add_messages()->set_role(v1::ROLE_USER); }},
    {"messages",
     [](v1::ChatRequest& r) { r.mutable_messages(0)->set_content(std::string(600, 'x')); }},
    {"messages",
     [](v1::ChatRequest& r) {
       for (int i = 0; i < 1024; ++i) *r.add_messages() = r.messages(0);
     }},
    {"prompt", [](v1::ChatRequest& r) { r.set_prompt("too"); }},
    {"prompt",
     [](v1::ChatRequest& r) {
       r.clear_messages();
       r.set_prompt(std::string(512, 'x'));
     }},
    {"prompt_token_ids[1]",
     [](v1::ChatRequest& r) {
       r.clear_messages();
       r.add_prompt_token_ids(1);
       r.add_prompt_token_ids(300);
     }},
    {"max_tokens", [](v1::ChatRequest& r) { r.set_max_tokens(0); }},
    {"max_tokens", [](v1::ChatRequest& r) { r.set_max_tokens(-5); }},
    {"max_tokens", [](v1::ChatRequest& r) { r.set_max_tokens(512); }},
    {"min_tokens", [](v1::ChatRequest& r) { r.set_min_tokens(-1); }},
    {"min_tokens", [](v1::ChatRequest& r) { r.set_min_tokens(9); }},
    {"temperature", [](v1::ChatRequest& r) { r.set_temperature(kNaN); }},
    {"temperature", [](v1::ChatRequest& r) { r.set_temperature(-1); }},
    {"temperature", [](v1::ChatRequest& r) { r.set_temperature(kInfinity); }},
    {"top_k", [](v1::ChatRequest& r) { r.set_top_k(-1); }},
    {"top_p", [](v1::ChatRequest& r) { r.set_top_p(0); }},
    {"top_p", [](v1::ChatRequest& r) { r.set_top_p(kNaN); }},
    {"min_p", [](v1::ChatRequest& r) { r.set_min_p(1.5F); }},
    {"repetition_penalty", [](v1::ChatRequest& r) { r.set_repetition_penalty(0); }},
    {"presence_penalty", [](v1::ChatRequest& r) { r.set_presence_penalty(3); }},
    {"frequency_penalty", [](v1::ChatRequest& r) { r.set_frequency_penalty(kNaN); }},
    {"logit_bias", [](v1::ChatRequest& r) { (*r.mutable_logit_bias())[300] = 1; }},
    {"logit_bias", [](v1::ChatRequest& r) { (*r.mutable_logit_bias())[7] = 101; }},
    {"logit_bias", [](v1::ChatRequest& r) { (*r.mutable_logit_bias())[7] = kNaN; }},
    {"logit_bias",
     [](v1::ChatRequest& r) {
       for (int i = 0; i < 1025; ++i) (*r.mutable_logit_bias())[i] = 1;
     }},
    {"stop[0]", [](v1::ChatRequest& r) { r.add_stop(""); }},
    {"stop[0]", [](v1::ChatRequest& r) { r.add_stop(std::string(257, 'x')); }},
    {"stop",
     [](v1::ChatRequest& r) {
       for (int i = 0; i < 17; ++i) r.add_stop("x");
     }},
    {"stop_token_ids[0]", [](v1::ChatRequest& r) { r.add_stop_token_ids(-1); }},
    {"stop_token_ids",
     [](v1::ChatRequest& r) {
       for (int i = 0; i < 65; ++i) r.add_stop_token_ids(i);
     }},
    {"top_logprobs", [](v1::ChatRequest& r) { r.set_top_logprobs(3); }},
    {"top_logprobs",
     [](v1::ChatRequest& r) {
       r.set_logprobs(true);
       r.set_top_logprobs(21);
     }},
    {"n", [](v1::ChatRequest& r) { r.set_n(2); }},
    {"n", [](v1::ChatRequest& r) { r.set_n(0); }},
    {"user", [](v1::ChatRequest& r) { r.set_user(std::string(129, 'u')); }},
    {"use_memory", [](v1::ChatRequest& r) { r.set_use_memory(true); }},
    {"memory_policy", [](v1::ChatRequest& r) { r.set_memory_policy(v1::MEMORY_POLICY_STRICT); }},
    {"memory_required", [](v1::ChatRequest& r) { r.set_memory_required(true); }},
    {"memory_details", [](v1::ChatRequest& r) { r.set_memory_details(true); }},
};

// Every field of a request appears above or honours all of its values, and is documented.
TEST(ServerRefusalCasesTest, CoverEveryField) {
  std::set<std::string> fields = {"model", "seed", "ignore_eos", "logprobs"};
  for (const BadCase& bad : kBadCases) {
    const std::string path = bad.field;
    fields.insert(path.substr(0, path.find('[')));
  }
  std::ifstream page(M3_SOURCE_DIR "/docs/api.md");
  const std::string documented(std::istreambuf_iterator<char>(page), {});
  const google::protobuf::Descriptor* request = v1::ChatRequest::descriptor();
  for (int i = 0; i < request->field_count(); ++i) {
    const std::string name = request->field(i)->name();
    EXPECT_TRUE(fields.contains(name)) << name;
    EXPECT_NE(documented.find("`" + name + "`"), std::string::npos) << name;
  }
}

class ServerRefusalTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<TestServer>(TestOptions(QuickModel()));
  }
  static void TearDownTestSuite() { server_.reset(); }

  grpc::Status Complete(const v1::ChatRequest& request) {
    grpc::ClientContext context;
    v1::ChatCompletion completion;
    return server_->chat().Complete(&context, request, &completion);
  }

  // Sends bytes that the generated classes would refuse to write.
  grpc::Status CompleteRaw(const std::string& bytes) {
    grpc::GenericStub stub(server_->channel());
    grpc::ClientContext context;
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer reply;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, "/memory3.v1.ChatService/Complete", grpc::StubOptions(), &request,
                   &reply, [&](const grpc::Status& status) { done.set_value(status); });
    return done.get_future().get();
  }

  static void ExpectNames(const grpc::Status& status, const std::string& field) {
    SCOPED_TRACE(field + ": " + status.error_message());
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    const std::optional<google::rpc::BadRequest> bad = BadRequestOf(status);
    ASSERT_TRUE(bad.has_value());
    ASSERT_EQ(bad->field_violations_size(), 1);
    EXPECT_EQ(bad->field_violations(0).field(), field);
    EXPECT_FALSE(bad->field_violations(0).description().empty());
  }

  static inline std::unique_ptr<TestServer> server_;
};

TEST_F(ServerRefusalTest, BadFieldsAreNamed) {
  for (const BadCase& bad : kBadCases) {
    v1::ChatRequest request = MessageRequest("hello", 8);
    bad.spoil(request);
    ExpectNames(Complete(request), bad.field);
    const ChatAnswer answer = Chat(server_->chat(), request);
    ExpectNames(answer.status, bad.field);
    EXPECT_TRUE(answer.chunks.empty());
  }
  EXPECT_TRUE(server_->BecomesIdle());
  EXPECT_TRUE(Complete(MessageRequest("hello", 8)).ok());
}

TEST_F(ServerRefusalTest, OtherModelsAreNotFound) {
  v1::ChatRequest request = MessageRequest("hello", 8);
  request.set_model("another");
  EXPECT_EQ(Complete(request).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Chat(server_->chat(), request).status.error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_model("synth");
  EXPECT_TRUE(Complete(request).ok());
}

TEST_F(ServerRefusalTest, InvalidUtf8IsRefusedByFieldName) {
  const std::string message("\x08\x02\x12\x02\xC3\x28", 6);  // role: USER, content: "\xC3("
  ExpectNames(CompleteRaw(std::string("\x12\x06", 2) + message), "messages[0].content");
  ExpectNames(CompleteRaw(std::string("\x1A\x01\xFF", 3)), "prompt");
  EXPECT_EQ(CompleteRaw(std::string("\x1A\x05x", 3)).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerRefusalTest, UnknownFieldsAreNotIgnored) {
  // prompt "x", then field 100 as a number.
  const grpc::Status status = CompleteRaw(std::string("\x1A\x01x\xA0\x06\x01", 6));
  ExpectNames(status, "#100");
}

TEST_F(ServerRefusalTest, OversizedRequestIsRefusedByGrpc) {
  const v1::ChatRequest request = PromptRequest(std::string(5 << 20, 'x'), 8);
  EXPECT_EQ(Complete(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(Complete(MessageRequest("still here", 4)).ok());
}

}  // namespace
}  // namespace memory3
