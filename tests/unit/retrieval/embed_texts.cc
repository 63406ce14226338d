// Embeds the lines of its standard input for bert_numpy_test.py: prints one vector per line.
//
//   embed_texts MODEL_DIR folder|mean|cls THREADS
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "retrieval/embed/transformer_embedder.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::string pooling = argv[2];
  const auto embedder =
      memory3::TransformerEmbedder::FromFolder(argv[1],
                                               pooling == "cls"    ? memory3::Pooling::kCls
                                               : pooling == "mean" ? memory3::Pooling::kMean
                                                                   : memory3::Pooling::kFolder,
                                               std::atoi(argv[3]));
  if (!embedder.ok()) {
    std::cerr << embedder.status().message() << "\n";
    return 1;
  }
  std::vector<std::string> texts;
  for (std::string line; std::getline(std::cin, line);) texts.push_back(line);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto width = static_cast<size_t>((*embedder)->dimensions());
  std::vector<float> vectors(texts.size() * width);
  if (!(*embedder)->Embed(views, absl::MakeSpan(vectors)).ok()) return 1;
  for (size_t i = 0; i < vectors.size(); ++i) {
    std::printf("%.9g%c", vectors[i], (i + 1) % width == 0 ? '\n' : ' ');
  }
  return 0;
}
