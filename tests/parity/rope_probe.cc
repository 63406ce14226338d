// Reads one config.json per line and answers with its rotary frequencies. For rope_twin.py.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/model/model_config.h"

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto config = memory3::ParseModelConfig(line, "config.json");
    if (!config.ok()) {
      std::cerr << config.status() << std::endl;
      return 1;
    }
    std::cout << nlohmann::json(memory3::RopeFrequencies(*config)).dump() << std::endl;
  }
}
