// The sentencepiece library behind an interface of the standard library alone: its header declares
// names of its own inside namespace absl, which clash with the real ones, so that only
// sentencepiece_model.cc may include it.
#ifndef MEMORY3_ENGINE_TEXT_SENTENCEPIECE_MODEL_H_
#define MEMORY3_ENGINE_TEXT_SENTENCEPIECE_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace memory3 {

// Immutable once loaded; safe from any thread. Ids must be in range.
class SentencePieceModel {
 public:
  // null, and *error says why, for bytes that are no model.
  static std::unique_ptr<SentencePieceModel> Load(std::string_view bytes, std::string* error);
  ~SentencePieceModel();

  std::vector<int32_t> Encode(std::string_view text) const;
  std::string Decode(const std::vector<int32_t>& ids) const;
  int size() const;
  int32_t bos_id() const;  // -1: none
  int32_t unk_id() const;
  int32_t PieceToId(std::string_view piece) const;  // unk_id() for an unknown one
  std::string_view IdToPiece(int32_t id) const;
  bool IsControl(int32_t id) const;
  bool IsByte(int32_t id) const;

 private:
  class Impl;
  explicit SentencePieceModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_SENTENCEPIECE_MODEL_H_
