#include "xmodel/wire.hpp"

#include <cstring>
#include <nerone/error.hpp>

#include "xmodel/texts.hpp"

namespace nerone::xmodel::wire {

namespace {

[[noreturn]] void damaged(const char* at, const char* file_begin, const std::string& what) {
  throw ModelError("byte " + std::to_string(at - file_begin) + ": " + what);
}

const char* name_of(Type type) {
  switch (type) {
    case Type::varint:
      return "a number";
    case Type::fixed64:
      return "8 fixed bytes";
    case Type::bytes:
      return "a length and bytes";
    case Type::fixed32:
      return "4 fixed bytes";
  }
  return "nothing known";
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

constexpr int padded_length_bytes = 5;

}  // namespace

void Budget::take(std::size_t items) {
  if (items > left_) {
    throw ModelError("the lists in it have more elements than any model needs");
  }
  left_ -= items;
}

void Field::expect(Type wanted) const {
  if (type != wanted) {
    damaged(payload.data(), file_begin,
            "field " + std::to_string(number) + " is " + name_of(type) + ", expected " + name_of(wanted));
  }
}

std::uint64_t Field::varint() const {
  expect(Type::varint);
  return value;
}

float Field::float32() const {
  expect(Type::fixed32);
  const auto bits = static_cast<std::uint32_t>(value);
  float result = 0;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

double Field::float64() const {
  expect(Type::fixed64);
  double result = 0;
  std::memcpy(&result, &value, sizeof result);
  return result;
}

std::string_view Field::bytes() const {
  expect(Type::bytes);
  return payload;
}

std::string Field::text() const {
  expect(Type::bytes);
  if (!is_utf8(payload)) damaged(payload.data(), file_begin, "a text is not UTF-8");
  return std::string(payload);
}

Message Field::message() const {
  expect(Type::bytes);
  return {payload, file_begin};
}

std::string_view Message::take(std::size_t count, const char* what) {
  if (count > rest_.size()) {
    damaged(rest_.data(), file_begin_,
            std::string(what) + " of " + std::to_string(count) + " bytes runs past the end, " +
                std::to_string(rest_.size()) + " bytes are left");
  }
  const auto taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::uint64_t Message::varint() {
  const char* begin = rest_.data();
  std::uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(take(1, "a number")[0]);
    if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  damaged(begin, file_begin_, "a number has more than ten bytes");
}

bool Message::next(Field& field) {
  if (rest_.empty()) return false;
  const char* begin = rest_.data();
  const auto tag = varint();
  field = {};
  field.file_begin = file_begin_;
  if (tag >> 3 == 0 || tag >> 32 != 0) damaged(begin, file_begin_, "no field has this number");
  field.number = static_cast<std::uint32_t>(tag >> 3);
  field.payload = rest_.substr(0, 0);
  switch (tag & 7) {
    case 0:
      field.type = Type::varint;
      field.value = varint();
      return true;
    case 1:
      field.type = Type::fixed64;
      field.value = little_endian(take(8, "a number"));
      return true;
    case 2:
      field.type = Type::bytes;
      field.payload = take(static_cast<std::size_t>(varint()), "a field");
      return true;
    case 5:
      field.type = Type::fixed32;
      field.value = little_endian(take(4, "a number"));
      return true;
    default:
      damaged(begin, file_begin_, "no field has this type");
  }
}

void Writer::tag(std::uint32_t number, Type type) {
  bare_varint(std::uint64_t{number} << 3 | static_cast<std::uint8_t>(type));
}

void Writer::bare_varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
  out_.push_back(static_cast<char>(value));
}

void Writer::fixed(std::uint64_t bits, int bytes) {
  for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(bits >> (8 * i)));
}

void Writer::bare_float(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  fixed(bits, 4);
}

void Writer::bare_float(double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  fixed(bits, 8);
}

void Writer::varint(std::uint32_t number, std::uint64_t value) {
  tag(number, Type::varint);
  bare_varint(value);
}

void Writer::float32(std::uint32_t number, float value) {
  tag(number, Type::fixed32);
  bare_float(value);
}

void Writer::float64(std::uint32_t number, double value) {
  tag(number, Type::fixed64);
  bare_float(value);
}

void Writer::bytes(std::uint32_t number, std::string_view value) {
  tag(number, Type::bytes);
  bare_varint(value.size());
  out_.append(value);
}

std::size_t Writer::open(std::uint32_t number) {
  tag(number, Type::bytes);
  out_.append(padded_length_bytes, '\0');
  return out_.size() - padded_length_bytes;
}

void Writer::close(std::size_t length_at) {
  auto length = out_.size() - length_at - padded_length_bytes;
  for (int i = 0; i < padded_length_bytes; ++i, length >>= 7) {
    out_[length_at + i] = static_cast<char>((length & 0x7F) | (i + 1 < padded_length_bytes ? 0x80 : 0));
  }
}

}  // namespace nerone::xmodel::wire
