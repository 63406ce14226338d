#include "engine/text/sentencepiece_model.h"

#include <sentencepiece_processor.h>

namespace memory3 {
namespace {

absl::string_view View(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

}  // namespace

class SentencePieceModel::Impl {
 public:
  sentencepiece::SentencePieceProcessor processor;
};

std::unique_ptr<SentencePieceModel> SentencePieceModel::Load(std::string_view bytes,
                                                             std::string* error) {
  auto impl = std::make_unique<Impl>();
  const sentencepiece::util::Status status = impl->processor.LoadFromSerializedProto(View(bytes));
  if (!status.ok()) {
    *error = status.ToString();
    return nullptr;
  }
  return std::unique_ptr<SentencePieceModel>(new SentencePieceModel(std::move(impl)));
}

SentencePieceModel::SentencePieceModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SentencePieceModel::~SentencePieceModel() = default;

std::vector<int32_t> SentencePieceModel::Encode(std::string_view text) const {
  return impl_->processor.EncodeAsIds(View(text));
}
std::string SentencePieceModel::Decode(const std::vector<int32_t>& ids) const {
  return impl_->processor.DecodeIds(ids);
}
int SentencePieceModel::size() const { return impl_->processor.GetPieceSize(); }
int32_t SentencePieceModel::bos_id() const { return impl_->processor.bos_id(); }
int32_t SentencePieceModel::unk_id() const { return impl_->processor.unk_id(); }
int32_t SentencePieceModel::PieceToId(std::string_view piece) const {
  return impl_->processor.PieceToId(View(piece));
}
std::string_view SentencePieceModel::IdToPiece(int32_t id) const {
  return impl_->processor.IdToPiece(id);
}
bool SentencePieceModel::IsControl(int32_t id) const { return impl_->processor.IsControl(id); }
bool SentencePieceModel::IsByte(int32_t id) const { return impl_->processor.IsByte(id); }

}  // namespace memory3
