#include "run/plain.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace nerone::run {

namespace {

template <typename T>
std::vector<T> elements_of(const char* bytes, std::size_t count, bool swapped) {
  std::vector<T> values(count);
  std::memcpy(values.data(), bytes, count * sizeof(T));
  if (swapped && sizeof(T) > 1) {
    auto* raw = reinterpret_cast<char*>(values.data());
    for (std::size_t i = 0; i < count; ++i) std::reverse(raw + i * sizeof(T), raw + (i + 1) * sizeof(T));
  }
  return values;
}

template <typename To, typename From>
void store(const std::vector<From>& values, DType dtype, Picture& into) {
  into.dtype = dtype;
  into.bytes.resize(values.size() * sizeof(To));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const To value = static_cast<To>(values[i]);
    std::memcpy(into.bytes.data() + i * sizeof(To), &value, sizeof(To));
  }
}

template <typename T>
void narrow(const std::vector<T>& values, Picture& into) {
  bool whole = true;
  double low = 0, high = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    whole = whole && std::rint(value) == value;  // false for NaN
    low = i == 0 ? value : std::min(low, value);
    high = i == 0 ? value : std::max(high, value);
  }
  if (whole && low >= INT16_MIN && high <= INT16_MAX) return store<std::int16_t>(values, DType::int16, into);
  if (whole && low >= 0 && high <= UINT16_MAX) return store<std::uint16_t>(values, DType::uint16, into);
  store<float>(values, DType::float32, into);
}

}  // namespace

std::size_t element_bytes(const std::string& type) {
  for (const char* known : {"b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"}) {
    if (type == known) return static_cast<std::size_t>(type[1] - '0');
  }
  return 0;
}

void make_plain(const char* elements, std::size_t count, const std::string& type, bool swapped, Picture& into) {
  const auto as = [&](auto zero) { return elements_of<decltype(zero)>(elements, count, swapped); };
  if (type == "b1" || type == "u1") return store<std::uint8_t>(as(std::uint8_t{}), DType::uint8, into);
  if (type == "u2") return store<std::uint16_t>(as(std::uint16_t{}), DType::uint16, into);
  if (type == "i2") return store<std::int16_t>(as(std::int16_t{}), DType::int16, into);
  if (type == "f4") return store<float>(as(float{}), DType::float32, into);
  if (type == "i1") return narrow(as(std::int8_t{}), into);
  if (type == "i4") return narrow(as(std::int32_t{}), into);
  if (type == "u4") return narrow(as(std::uint32_t{}), into);
  if (type == "i8") return narrow(as(std::int64_t{}), into);
  if (type == "u8") return narrow(as(std::uint64_t{}), into);
  narrow(as(double{}), into);
}

}  // namespace nerone::run
