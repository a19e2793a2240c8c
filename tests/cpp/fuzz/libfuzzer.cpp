// A target as libFuzzer calls it: coverage chooses which mutants are kept.

#include <algorithm>
#include <cstring>

#include "target.hpp"

extern "C" {

std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nerone::fuzz::enter({reinterpret_cast<const char*>(data), size});
  return 0;
}

std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned int seed) {
  if (seed % 4 == 0) return LLVMFuzzerMutate(data, size, most);
  nerone::fuzz::Random random(seed);
  const std::string input(reinterpret_cast<const char*>(data), size);
  const auto mutant = nerone::fuzz::mutated(input, input, random);
  if (mutant.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, mutant.data(), mutant.size());
  return mutant.size();
}
}
