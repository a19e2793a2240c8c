#pragma once

#include <string>

#include "target.hpp"

namespace nerone::fuzz {

std::size_t below(std::size_t bound, Random& random);

// One to three damages of bytes: flipped bits, bytes cut out, repeated or taken from the other input, numbers at the
// ends of their ranges, the end cut off.
std::string damaged(std::string bytes, const std::string& other, Random& random);

// Ends the process where an error's message is no sentence: empty or of several lines. NERONE_FUZZ_TELL=1 shows it.
void check_message(const char* message);

// A file in memory, that is a path too.
class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string hold(const char* bytes, std::size_t size) const;  // the path

 private:
  int descriptor_;
};

}  // namespace nerone::fuzz
