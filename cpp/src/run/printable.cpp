#include "run/printable.hpp"

#include <cstddef>
#include <cstdint>

namespace nerone::run {

namespace {

constexpr const char* replacement = "\xEF\xBF\xBD";

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  // 0: no UTF-8
};

Character character_at(const std::string& text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1};
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + bytes > text.size()) return {};
  std::uint32_t code = first & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[at + i]);
    if ((next & 0xC0U) != 0x80) return {};
    code = code << 6U | (next & 0x3FU);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < smallest[bytes] || code > 0x10FFFF || is_surrogate) return {};
  return {code, bytes};
}

bool is_harmless(std::uint32_t code) {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD) return false;
  // Marks of direction, joiners, line and paragraph separators; the byte order mark.
  const bool is_mark = code == 0x61C || (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
                       (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || (code >= 0xE0000 && code <= 0xE0FFF);
  return !is_mark;
}

}  // namespace

std::string printable_line(const std::string& text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto found = character_at(text, at);
    if (found.bytes != 0 && is_harmless(found.code)) {
      result.append(text, at, found.bytes);
    } else {
      result += found.code == '\t' ? " " : replacement;
    }
    at += found.bytes == 0 ? 1 : found.bytes;
  }
  return result;
}

}  // namespace nerone::run
