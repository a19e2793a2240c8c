#include "mutations.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace nerone::fuzz {

std::size_t below(std::size_t bound, Random& random) { return bound == 0 ? 0 : random() % bound; }

namespace {

void write_number(std::string& bytes, std::size_t at, Random& random) {
  constexpr std::uint64_t numbers[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, ~std::uint64_t{0}};
  const auto number = numbers[below(std::size(numbers), random)];
  const auto width = std::min<std::size_t>(std::size_t{1} << below(4, random), bytes.size() - at);
  const bool big = below(2, random) == 0;
  for (std::size_t i = 0; i < width; ++i) {
    bytes[at + (big ? width - 1 - i : i)] = static_cast<char>(number >> 8 * i);
  }
}

void damage(std::string& bytes, const std::string& other, Random& random) {
  if (bytes.empty()) return;
  const auto at = below(bytes.size(), random);
  const auto count = 1 + below(std::min<std::size_t>(bytes.size() - at, 64), random);
  switch (below(8, random)) {
    case 0:
    case 1:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8, random)));
      break;
    case 2:
      bytes[at] = static_cast<char>(random());
      break;
    case 3:
      bytes.erase(at, count);
      break;
    case 4:
      bytes.insert(below(bytes.size(), random), bytes.substr(at, count));
      break;
    case 5:
      if (!other.empty()) bytes.insert(at, other.substr(below(other.size(), random), count));
      break;
    case 6:
      bytes.resize(at);
      break;
    default:
      write_number(bytes, at, random);
  }
}

}  // namespace

std::string damaged(std::string bytes, const std::string& other, Random& random) {
  for (auto left = 1 + below(3, random); left > 0; --left) damage(bytes, other, random);
  return bytes;
}

void check_message(const char* message) {
  static const bool tells = std::getenv("NERONE_FUZZ_TELL") != nullptr;
  if (tells) std::fprintf(stderr, "%s\n", message);
  if (*message != '\0' && std::strchr(message, '\n') == nullptr) return;
  std::fprintf(stderr, "the message is no sentence: '%s'\n", message);
  std::abort();
}

MemoryFile::MemoryFile() : descriptor_(::memfd_create("mutant", 0)) {}
MemoryFile::~MemoryFile() { ::close(descriptor_); }

std::string MemoryFile::hold(const char* bytes, std::size_t size) const {
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, bytes, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  return "/proc/self/fd/" + std::to_string(descriptor_);
}

}  // namespace nerone::fuzz
