#include "xmodel/texts.hpp"

#include <nerone/error.hpp>

namespace nerone::xmodel {

namespace {

struct Utf8Visitor {
  template <typename T>
  bool operator()(const T&) const {
    return true;
  }
  bool operator()(const std::string& text) const { return is_utf8(text); }
  bool operator()(const std::vector<std::string>& texts) const {
    for (const auto& text : texts) {
      if (!is_utf8(text)) return false;
    }
    return true;
  }
  template <typename T>
  bool operator()(const std::map<std::string, T>& map) const {
    for (const auto& [key, value] : map) {
      if (!is_utf8(key) || !(*this)(value)) return false;
    }
    return true;
  }
};

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || length > text.size() - i) return false;
    std::uint32_t point = lead & (0x7FU >> length);
    for (std::size_t k = 1; k < length; ++k) {
      const auto byte = static_cast<std::uint8_t>(text[i + k]);
      if ((byte & 0xC0) != 0x80) return false;
      point = point << 6 | (byte & 0x3FU);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (overlong || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    i += length;
  }
  return true;
}

void check_texts(const Attrs& attrs, const std::string& owner) {
  for (const auto& [key, attr] : attrs) {
    if (!is_utf8(key)) throw ModelError("the name of an attribute of " + owner + " is not UTF-8");
    if (!std::visit(Utf8Visitor(), attr)) {
      throw ModelError("attribute '" + key + "' of " + owner + " holds a text that is not UTF-8");
    }
  }
}

std::string one_line(std::string message) {
  constexpr std::size_t longest = 600;
  if (message.size() > longest) {
    auto cut = longest;
    while (cut > 0 && (static_cast<std::uint8_t>(message[cut]) & 0xC0) == 0x80) --cut;
    message.resize(cut);
    message += " ...";
  }
  for (auto& letter : message) {
    if (static_cast<std::uint8_t>(letter) < 0x20 || letter == 0x7F) letter = '?';
  }
  return message;
}

std::string with_advice(const std::string& message) {
  auto line = one_line(message);
  return line.find("; ") == std::string::npos ? line + "; fetch or compile it again" : line;
}

}  // namespace nerone::xmodel
