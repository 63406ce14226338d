// The module: the only unit that includes or links sentencepiece. Its header declares names of its
// own inside namespace absl, so that the real Abseil must stay out of here.
#include <sentencepiece_processor.h>

#include "engine/text/sentencepiece_model.h"

namespace memory3 {
namespace {

absl::string_view View(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

class LoadedModel : public SentencePieceModel {
 public:
  sentencepiece::util::Status Read(absl::string_view bytes) {
    return processor_.LoadFromSerializedProto(bytes);
  }

  std::vector<int32_t> Encode(std::string_view text) const override {
    return processor_.EncodeAsIds(View(text));
  }
  std::string Decode(const std::vector<int32_t>& ids) const override {
    return processor_.DecodeIds(ids);
  }
  int size() const override { return processor_.GetPieceSize(); }
  int32_t bos_id() const override { return processor_.bos_id(); }
  int32_t unk_id() const override { return processor_.unk_id(); }
  int32_t PieceToId(std::string_view piece) const override {
    return processor_.PieceToId(View(piece));
  }
  std::string_view IdToPiece(int32_t id) const override { return processor_.IdToPiece(id); }
  bool IsControl(int32_t id) const override { return processor_.IsControl(id); }
  bool IsByte(int32_t id) const override { return processor_.IsByte(id); }

 private:
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace
}  // namespace memory3

extern "C" __attribute__((visibility("default"))) memory3::SentencePieceModel*
memory3_make_sentencepiece_model(const char* bytes, size_t size, std::string* error) {
  auto model = std::make_unique<memory3::LoadedModel>();
  const sentencepiece::util::Status status = model->Read(absl::string_view(bytes, size));
  if (status.ok()) return model.release();
  *error = status.ToString();
  return nullptr;
}
