#include "engine/text/sentencepiece_model.h"

#include <dlfcn.h>

namespace memory3 {
namespace {

// The module's own symbols come first for the module (DEEPBIND) and stay inside it (LOCAL). The
// sanitizers' runtimes refuse DEEPBIND; their builds do without, which is safe where the program
// has no protobuf of its own.
constexpr int DlopenMode() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return RTLD_NOW | RTLD_LOCAL;
#else
  return RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif
}

}  // namespace

std::unique_ptr<SentencePieceModel> SentencePieceModel::Load(std::string_view bytes,
                                                             std::string* error) {
  // Stays loaded: models made by it may live until the program ends. Found through the program's
  // own run path.
  void* module = dlopen(kSentencePieceModule, DlopenMode());
  void* factory = module == nullptr ? nullptr : dlsym(module, kSentencePieceFactory);
  if (factory == nullptr) {
    *error = dlerror();
    return nullptr;
  }
  return std::unique_ptr<SentencePieceModel>(
      reinterpret_cast<SentencePieceFactory>(factory)(bytes.data(), bytes.size(), error));
}

}  // namespace memory3
