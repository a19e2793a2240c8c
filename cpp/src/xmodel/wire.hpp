#pragma once

// The protobuf wire format (https://protobuf.dev/programming-guides/encoding), read with every length checked against
// what is there, and written. Knows nothing of graphs.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nerone::xmodel::wire {

enum class Type : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

// How many more list elements, map entries and messages a file may have: what a damaged file can make us allocate.
class Budget {
 public:
  explicit Budget(std::size_t items) : left_(items) {}
  void take(std::size_t items);

 private:
  std::size_t left_;
};

class Message;

// One field of a message. The accessors throw ModelError where the field has another wire type.
struct Field {
  std::uint32_t number = 0;
  Type type = Type::varint;
  std::uint64_t value = 0;  // varint, fixed64 and fixed32
  std::string_view payload;
  const char* file_begin = nullptr;

  std::uint64_t varint() const;
  float float32() const;
  double float64() const;
  std::string_view bytes() const;
  std::string text() const;  // checked to be UTF-8, which libprotobuf ends the process without
  Message message() const;

 private:
  void expect(Type wanted) const;
};

// The fields of one message, in file order.
class Message {
 public:
  Message(std::string_view content, const char* file_begin) : rest_(content), file_begin_(file_begin) {}

  // False at the end. Throws ModelError at a byte that cannot be a field.
  bool next(Field& field);
  std::uint64_t varint();  // one bare number of a packed list
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view take(std::size_t count, const char* what);

  std::string_view rest_;
  const char* file_begin_;
};

class Writer {
 public:
  void varint(std::uint32_t number, std::uint64_t value);
  void float32(std::uint32_t number, float value);
  void float64(std::uint32_t number, double value);
  void bytes(std::uint32_t number, std::string_view value);
  void bare_varint(std::uint64_t value);
  void bare_float(float value);
  void bare_float(double value);

  // A message field whose content `fill` writes. Its length is patched in afterwards, so nothing is copied.
  template <typename Fill>
  void message(std::uint32_t number, Fill&& fill) {
    const auto length_at = open(number);
    fill();
    close(length_at);
  }

  std::string take() { return std::move(out_); }

 private:
  void tag(std::uint32_t number, Type type);
  void fixed(std::uint64_t bits, int bytes);
  std::size_t open(std::uint32_t number);
  void close(std::size_t length_at);

  std::string out_;
};

}  // namespace nerone::xmodel::wire
