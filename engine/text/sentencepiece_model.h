// A sentencepiece model, read and run by the sentencepiece library.
//
// The library lives in a module of its own, libmemory3_sentencepiece.so, which is loaded when a
// model asks for it, and whose symbols nobody else sees: Debian's libsentencepiece.so exports the
// protobuf classes it was built with, which take the place of the real ones in every program that
// links both.
#ifndef MEMORY3_ENGINE_TEXT_SENTENCEPIECE_MODEL_H_
#define MEMORY3_ENGINE_TEXT_SENTENCEPIECE_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace memory3 {

// Immutable; safe from any thread. Ids must be in range.
class SentencePieceModel {
 public:
  // null, and *error says why, for bytes that are no model or when the module cannot be loaded.
  static std::unique_ptr<SentencePieceModel> Load(std::string_view bytes, std::string* error);
  virtual ~SentencePieceModel() = default;

  virtual std::vector<int32_t> Encode(std::string_view text) const = 0;
  virtual std::string Decode(const std::vector<int32_t>& ids) const = 0;
  virtual int size() const = 0;
  virtual int32_t bos_id() const = 0;  // -1: none
  virtual int32_t unk_id() const = 0;
  virtual int32_t PieceToId(std::string_view piece) const = 0;  // unk_id() for an unknown one
  virtual std::string_view IdToPiece(int32_t id) const = 0;
  virtual bool IsControl(int32_t id) const = 0;
  virtual bool IsByte(int32_t id) const = 0;
};

// What the module exports: Load's work, under a name that dlsym finds.
inline constexpr char kSentencePieceModule[] = "libmemory3_sentencepiece.so";
inline constexpr char kSentencePieceFactory[] = "memory3_make_sentencepiece_model";
using SentencePieceFactory = SentencePieceModel* (*)(const char* bytes, size_t size,
                                                     std::string* error);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_SENTENCEPIECE_MODEL_H_
