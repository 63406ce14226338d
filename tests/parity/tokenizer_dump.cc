// Encodes texts with one tokenizer, for comparison with other implementations.
//
//   tokenizer_dump FILE < requests > answers
//
// FILE: tokenizer.json or a sentencepiece .model. A request is a line of JSON, {"text": ...,
// "add_special": bool, "parse_special": bool}; its answer is {"ids": [...], "decoded": text without
// special tokens, "streamed": the same through the stream decoder}.
#include <iostream>
#include <string>

#include "engine/text/stream_decoder.h"
#include "engine/text/tokenizer.h"
#include "nlohmann/json.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tokenizer_dump FILE\n";
    return 2;
  }
  const std::filesystem::path file = argv[1];
  const auto tokenizer = file.extension() == ".json" ? memory3::LoadTokenizerJson(file)
                                                     : memory3::LoadSentencePiece(file);
  if (!tokenizer.ok()) {
    std::cerr << tokenizer.status() << "\n";
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const nlohmann::json request = nlohmann::json::parse(line);
    const std::vector<int32_t> ids =
        (*tokenizer)
            ->Encode(request["text"].get<std::string>(),
                     {.add_special_tokens = request["add_special"].get<bool>(),
                      .parse_special_tokens = request["parse_special"].get<bool>()});
    memory3::StreamDecoder stream(**tokenizer, /*skip_special_tokens=*/true,
                                  /*continues_text=*/false);
    std::string streamed;
    for (int32_t id : ids) streamed += stream.Push(id);
    streamed += stream.Finish();
    std::cout << nlohmann::json{{"ids", ids},
                                {"decoded",
                                 (*tokenizer)->Decode(ids, /*skip_special_tokens=*/true)},
                                {"streamed", streamed}}
                     .dump()
              << "\n";
  }
  return 0;
}
