#include "run/table.hpp"

#include <cstddef>
#include <string_view>

#include "run/printable.hpp"

namespace nerone::run {

namespace {

bool skip(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::size_t skip_digits(std::string_view& text) {
  std::size_t count = 0;
  while (skip(text, "0123456789")) ++count;
  return count;
}

// A sign, digits with a point, an exponent and a percent sign at most.
bool is_signed_number(std::string_view text) {
  if (!skip(text, "+-")) return false;
  if (text == "inf" || text == "nan") return true;
  auto digits = skip_digits(text);
  if (skip(text, ".")) digits += skip_digits(text);
  if (digits == 0) return false;
  if (skip(text, "eE")) {
    skip(text, "+-");
    if (skip_digits(text) == 0) return false;
  }
  return text.empty() || text == "%" || text == " %";
}

bool is_formula(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return false;
  text = text.substr(first, text.find_last_not_of(' ') + 1 - first);
  // In both widths, and with something behind it: a lone dash says that there is nothing.
  for (const std::string_view start : {"=", "+", "-", "@", "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"}) {
    if (text.size() > start.size() && text.substr(0, start.size()) == start) return !is_signed_number(text);
  }
  return false;
}

}  // namespace

std::string table_field(const std::string& text) {
  auto line = printable_line(text);
  if (is_formula(line)) line.insert(0, 1, '\'');
  if (line.find_first_of(",\"") == std::string::npos) return line;
  std::string result = "\"";
  for (const char c : line) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

}  // namespace nerone::run
