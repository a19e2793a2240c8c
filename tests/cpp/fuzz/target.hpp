#pragma once

// What a fuzz target defines, beside libFuzzer's two functions; driver.cpp runs it without libFuzzer.

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace nerone::fuzz {

using Random = std::mt19937_64;

// Inputs that are taken, made here.
std::vector<std::string> seeds();

// A mutant of `input` that its format's reader gets some way into; `other` is another input.
std::string mutated(const std::string& input, const std::string& other, Random& random);

// Reads and uses an input. True where it was taken, false where it was refused by one nerone::Error; whatever else
// comes out of it ends the process.
bool enter(const std::string& input);

}  // namespace nerone::fuzz
