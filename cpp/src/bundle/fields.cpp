#include "bundle/fields.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nerone/error.hpp>

namespace nerone::bundle {

namespace {

constexpr std::uintmax_t max_bytes = std::uintmax_t{64} << 20;
constexpr std::size_t most_shown = 60;
const std::string remedy = "; the bundle is damaged: copy it again or run nerone deploy again";

std::string whole_from(int low, int high) {
  return "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
}

bool is_whole(const Json& value, int low, int high) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) return false;
  const auto number = value.get<std::int64_t>();
  return number >= low && number <= high;
}

bool is_finite(const Json& value) { return value.is_number() && std::isfinite(value.get<double>()); }

}  // namespace

Fields Fields::read(const std::filesystem::path& file) {
  const auto place = "'" + file.string() + "'";
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (!error && size > max_bytes) {
    throw ConfigurationError(place + " has " + std::to_string(size) + " bytes, more than " + std::to_string(max_bytes) +
                             remedy);
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw ConfigurationError(place + " cannot be read: " + std::strerror(errno) + "; check its permissions");
  const std::string text((std::istreambuf_iterator<char>(stream)), {});
  // Without exceptions: theirs would name bytes, not what to do.
  Json values = Json::parse(text, nullptr, false);
  if (values.is_discarded()) throw ConfigurationError(place + " is not valid JSON" + remedy);
  if (!values.is_object()) {
    throw ConfigurationError(place + " holds a JSON " + values.type_name() + ", expected an object" + remedy);
  }
  return {std::move(values), place};
}

void Fields::fail(const char* key, const std::string& expected) const {
  std::string shown = object_.at(key).dump(-1, ' ', false, Json::error_handler_t::replace);
  if (shown.size() > most_shown) shown = shown.substr(0, most_shown - 3) + "...";
  throw ConfigurationError(place_ + ": '" + key + "' is " + shown + ", expected " + expected + remedy);
}

const Json& Fields::at(const char* key, const std::string& expected) const {
  const auto found = object_.find(key);
  if (found == object_.end()) {
    throw ConfigurationError(place_ + ": '" + key + "' is missing, expected " + expected + remedy);
  }
  return *found;
}

std::string Fields::text(const char* key) const {
  const Json& value = at(key, "a string");
  if (!value.is_string()) fail(key, "a string");
  return value.get<std::string>();
}

double Fields::number(const char* key) const {
  const Json& value = at(key, "a finite number");
  if (!is_finite(value)) fail(key, "a finite number");
  return value.get<double>();
}

int Fields::integer(const char* key, int low, int high) const {
  const auto expected = whole_from(low, high);
  const Json& value = at(key, expected);
  if (!is_whole(value, low, high)) fail(key, expected);
  return value.get<int>();
}

bool Fields::flag(const char* key) const {
  const Json& value = at(key, "true or false");
  if (!value.is_boolean()) fail(key, "true or false");
  return value.get<bool>();
}

std::vector<double> Fields::numbers(const char* key) const {
  const char* expected = "finite numbers";
  const Json& value = at(key, expected);
  if (is_finite(value)) return {value.get<double>()};
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_finite)) fail(key, expected);
  return value.get<std::vector<double>>();
}

std::vector<int> Fields::integers(const char* key, int low, int high) const {
  const auto expected = "a list, each " + whole_from(low, high);
  const Json& value = list(key, expected.c_str());
  if (!std::all_of(value.begin(), value.end(), [&](const Json& one) { return is_whole(one, low, high); })) {
    fail(key, expected);
  }
  return value.get<std::vector<int>>();
}

std::vector<std::string> Fields::texts(const char* key) const {
  const char* expected = "a list of strings";
  const Json& value = list(key, expected);
  if (!std::all_of(value.begin(), value.end(), [](const Json& one) { return one.is_string(); })) fail(key, expected);
  return value.get<std::vector<std::string>>();
}

const Json& Fields::list(const char* key, const char* expected) const {
  const Json& value = at(key, expected);
  if (!value.is_array()) fail(key, expected);
  return value;
}

bool Fields::is_null(const char* key) const { return at(key, "a value or null").is_null(); }

Fields Fields::object(const char* key) const {
  const Json& value = at(key, "an object");
  if (!value.is_object()) fail(key, "an object");
  return {value, place_ + ": '" + key + "'"};
}

Fields Fields::item(const char* key, std::size_t number) const {
  const Json& value = at(key, "a list of objects").at(number);
  if (!value.is_object()) fail(key, "a list of objects");
  return {value, place_ + ": '" + key + "' " + std::to_string(number)};
}

void Fields::check_keys(std::initializer_list<const char*> known) const {
  for (const auto& [key, value] : object_.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      std::string names;
      for (const char* name : known) names += (names.empty() ? "" : ", ") + std::string(name);
      throw ConfigurationError(place_ + ": '" + key + "' is unknown, expected " + names +
                               "; use the release that wrote the bundle or deploy again");
    }
  }
}

}  // namespace nerone::bundle
