// What ModelService and TokenizerService say about the served model, and refuse to say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "memory3/v1/model.grpc.pb.h"
#include "memory3/v1/tokenizer.grpc.pb.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

using testing::ElementsAre;

class ServerLookupTest : public testing::Test {
 protected:
  static ServerOptions Options() {
    ServerOptions options = TestOptions(QuickModel());
    options.model_names = {"served", "alias"};
    options.max_completion_tokens = 100;
    options.max_sequences = 3;
    options.max_queued_requests = 5;
    options.max_queued_prompt_tokens = 7000;
    options.default_sampling.temperature = 0.25F;
    options.default_sampling.top_k = 9;
    return options;
  }
  static void SetUpTestSuite() { server_ = std::make_unique<TestServer>(Options()); }
  static void TearDownTestSuite() { server_.reset(); }

  static grpc::Status GetModel(const std::string& name, v1::Model* model) {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_name(name);
    return v1::ModelService::NewStub(server_->channel())->GetModel(&context, request, model);
  }
  static grpc::Status Tokenize(const v1::TokenizeRequest& request, v1::TokenizeResponse* tokens) {
    grpc::ClientContext context;
    return v1::TokenizerService::NewStub(server_->channel())->Tokenize(&context, request, tokens);
  }
  static grpc::Status Detokenize(const v1::DetokenizeRequest& request,
                                 v1::DetokenizeResponse* text) {
    grpc::ClientContext context;
    return v1::TokenizerService::NewStub(server_->channel())->Detokenize(&context, request, text);
  }
  static void ExpectNames(const grpc::Status& status, const std::string& field) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    const std::optional<google::rpc::BadRequest> bad = BadRequestOf(status);
    ASSERT_TRUE(bad.has_value());
    ASSERT_EQ(bad->field_violations_size(), 1);
    EXPECT_EQ(bad->field_violations(0).field(), field);
  }

  static inline std::unique_ptr<TestServer> server_;
};

TEST_F(ServerLookupTest, ModelsAreDescribedWithTheirLimits) {
  v1::Model model;
  ASSERT_TRUE(GetModel("", &model).ok());
  EXPECT_EQ(model.name(), "served");
  EXPECT_EQ(model.architecture(), "LlamaForCausalLM");
  EXPECT_EQ(model.dtype(), "bf16");
  EXPECT_FALSE(model.device().empty());
  // Two layers of hidden 64, 4 and 2 heads of 16, MLP 128, and vocabulary 300 twice.
  EXPECT_EQ(model.parameters(),
            2 * (64 + 64 * (64 + 2 * 32) + 64 * 64 + 64 + 3 * 64 * 128) + 64 + 2 * 300 * 64);
  EXPECT_EQ(model.vocab_size(), 300);
  EXPECT_TRUE(model.has_chat_template());
  EXPECT_THAT(model.eos_token_ids(), ElementsAre(257));
  EXPECT_FALSE(model.has_memory());
  const v1::Limits& limits = model.limits();
  EXPECT_EQ(limits.max_context_tokens(), 512);
  EXPECT_EQ(limits.max_completion_tokens(), 100);
  EXPECT_EQ(limits.max_concurrent_sequences(), 3);
  EXPECT_EQ(limits.max_queued_requests(), 5);
  EXPECT_EQ(limits.max_queued_prompt_tokens(), 7000);
  EXPECT_EQ(limits.max_request_bytes(), 4 << 20);
  EXPECT_EQ(limits.max_stop_strings(), 16);
  EXPECT_EQ(limits.max_stop_string_bytes(), 256);
  EXPECT_EQ(limits.max_logit_bias(), 1024);
  EXPECT_EQ(limits.max_top_logprobs(), 20);
  EXPECT_EQ(model.defaults().temperature(), 0.25F);
  EXPECT_EQ(model.defaults().top_k(), 9);
  EXPECT_EQ(model.defaults().top_p(), 1);
}

TEST_F(ServerLookupTest, AModelHasAllItsNamesAndNoOthers) {
  v1::Model model;
  ASSERT_TRUE(GetModel("alias", &model).ok());
  EXPECT_EQ(model.name(), "alias");
  EXPECT_EQ(GetModel("another", &model).error_code(), grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext context;
  v1::ListModelsResponse models;
  ASSERT_TRUE(
      v1::ModelService::NewStub(server_->channel())->ListModels(&context, {}, &models).ok());
  ASSERT_EQ(models.models_size(), 2);
  EXPECT_EQ(models.models(0).name(), "served");
  EXPECT_EQ(models.models(1).name(), "alias");
  EXPECT_EQ(models.models(1).limits().SerializeAsString(), model.limits().SerializeAsString());
}

TEST_F(ServerLookupTest, TextsBecomeTokensAndTextsAgain) {
  v1::TokenizeRequest request;
  request.set_text("h\xC3\xA9");
  v1::TokenizeResponse tokens;
  ASSERT_TRUE(Tokenize(request, &tokens).ok());
  EXPECT_THAT(tokens.token_ids(), ElementsAre(256, 'h', 0xC3, 0xA9));
  request.set_add_special_tokens(false);
  ASSERT_TRUE(Tokenize(request, &tokens).ok());
  EXPECT_THAT(tokens.token_ids(), ElementsAre('h', 0xC3, 0xA9));
  EXPECT_THAT(tokens.tokens(), ElementsAre("h", "\xC3", "\xA9"));
  EXPECT_EQ(tokens.rendered(), "");

  v1::DetokenizeRequest ids;
  ids.add_token_ids(256);
  ids.mutable_token_ids()->MergeFrom(tokens.token_ids());
  v1::DetokenizeResponse back;
  ASSERT_TRUE(Detokenize(ids, &back).ok());
  EXPECT_EQ(back.text(), "h\xC3\xA9");
  ids.set_skip_special_tokens(false);
  ASSERT_TRUE(Detokenize(ids, &back).ok());
  EXPECT_EQ(back.text(), "<s>h\xC3\xA9");
}

TEST_F(ServerLookupTest, MessagesAreRenderedAsTheChatServiceWould) {
  v1::TokenizeRequest request;
  *request.mutable_messages() = MessageRequest("Hi", 5).messages();
  v1::TokenizeResponse tokens;
  ASSERT_TRUE(Tokenize(request, &tokens).ok());
  EXPECT_EQ(tokens.rendered(), "<s>user: Hi\nassistant:");
  v1::ChatRequest by_ids = PromptRequest("", 20);
  by_ids.clear_prompt();
  *by_ids.mutable_prompt_token_ids() = tokens.token_ids();
  EXPECT_EQ(Chat(server_->chat(), by_ids).token_ids(),
            Chat(server_->chat(), MessageRequest("Hi", 20)).token_ids());
}

TEST_F(ServerLookupTest, BadFieldsAreNamed) {
  v1::TokenizeResponse tokens;
  v1::TokenizeRequest nothing;
  ExpectNames(Tokenize(nothing, &tokens), "messages");
  v1::TokenizeRequest both;
  both.set_text("x");
  both.add_messages();
  ExpectNames(Tokenize(both, &tokens), "text");
  v1::TokenizeRequest no_role;
  no_role.add_messages()->set_content("x");
  ExpectNames(Tokenize(no_role, &tokens), "messages[0].role");
  v1::TokenizeRequest special;
  *special.mutable_messages() = MessageRequest("Hi", 5).messages();
  special.set_add_special_tokens(true);
  ExpectNames(Tokenize(special, &tokens), "add_special_tokens");
  v1::TokenizeRequest other;
  other.set_text("x");
  other.set_model("another");
  EXPECT_EQ(Tokenize(other, &tokens).error_code(), grpc::StatusCode::NOT_FOUND);

  v1::DetokenizeResponse text;
  v1::DetokenizeRequest ids;
  ids.add_token_ids(1);
  ids.add_token_ids(300);
  ExpectNames(Detokenize(ids, &text), "token_ids[1]");
  ids.set_token_ids(1, -1);
  ExpectNames(Detokenize(ids, &text), "token_ids[1]");
  ids.set_model("another");
  EXPECT_EQ(Detokenize(ids, &text).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace memory3
