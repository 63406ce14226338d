// What the transformer embedder refuses. Its numbers are compared by bert_numpy_test.py.
#include "retrieval/embed/transformer_embedder.h"

#include "gtest/gtest.h"
#include "retrieval/base/checked_file.h"
#include "retrieval/embed/bert_config.h"
#include "retrieval/embed/embedder_files.h"
#include "tests/unit/retrieval/temp_dir.h"

namespace memory3 {
namespace {

constexpr char kConfig[] =
    R"({"model_type": "bert", "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 12)";

absl::Status Read(const std::string& fields) {
  const TempDir dir;
  WriteBytes(dir.path() / "config.json", kConfig + fields + "}");
  return ReadBertConfig(dir.path()).status();
}

TEST(BertConfigTest, NamesTheFieldItRefuses) {
  EXPECT_TRUE(Read("").ok());
  for (const auto& [fields, name] : std::vector<std::pair<std::string, std::string>>{
           {R"(, "model_type": "t5")", "model_type"},
           {R"(, "num_attention_heads": 3)", "num_attention_heads"},
           {R"(, "hidden_size": 0)", "hidden_size"},
           {R"(, "hidden_size": 100000000)", "hidden_size"},
           {R"(, "hidden_act": "silu")", "hidden_act"},
           {R"(, "layer_norm_eps": -1)", "layer_norm_eps"},
           {R"(, "position_embedding_type": "relative_key")", "position_embedding_type"}}) {
    const absl::Status status = Read(fields);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(std::string(status.message()).find(name), std::string::npos) << status;
  }
}

TEST(TransformerEmbedderTest, SaysWhatIsMissing) {
  const TempDir dir;
  EXPECT_FALSE(TransformerEmbedder::FromFolder(dir.path(), Pooling::kMean, 1).ok());
  WriteBytes(dir.path() / "config.json", std::string(kConfig) + "}");
  const absl::Status status =
      TransformerEmbedder::FromFolder(dir.path(), Pooling::kMean, 1).status();
  EXPECT_NE(std::string(status.message()).find("safetensors"), std::string::npos) << status;
}

TEST(TransformerEmbedderTest, ItsFileNeedsTheModelBeside) {
  const TempDir dir;
  const std::filesystem::path file = dir.path() / "embedder.bin";
  auto writer = CheckedFileWriter::Create(file, kEmbedderMagic);
  const std::string payload("\x02\x01\x08\0\0\0\0\0\0\0\0\0\0\0", 14);
  ASSERT_TRUE(writer->Append(payload).ok() && writer->Finish().ok());
  EXPECT_TRUE(absl::IsInvalidArgument(LoadEmbedder(file, {}).status()));
  writer = CheckedFileWriter::Create(file, kEmbedderMagic);
  ASSERT_TRUE(writer->Append("\x03").ok() && writer->Finish().ok());
  EXPECT_TRUE(absl::IsDataLoss(LoadEmbedder(file, {}).status()));
}

}  // namespace
}  // namespace memory3
