#include "xmodel/attr_codec.hpp"

#include <nerone/error.hpp>
#include <type_traits>
#include <utility>

#include "xmodel/schema.hpp"

namespace nerone::xmodel {

namespace {

template <typename T>
struct is_list : std::false_type {};
template <typename T>
struct is_list<std::vector<T>> : std::bool_constant<!std::is_same_v<T, char>> {};
template <typename T>
struct is_map : std::false_type {};
template <typename T>
struct is_map<std::map<std::string, T>> : std::true_type {};

// Where each C++ type stands among the alternatives of the schema: in the order of the variant.
template <std::size_t Index>
constexpr std::uint32_t field_of = schema::value::boolean + static_cast<std::uint32_t>(Index);
static_assert(std::is_same_v<std::variant_alternative_t<schema::value::bytes - schema::value::boolean, Attr>, Bytes>);
static_assert(std::is_same_v<std::variant_alternative_t<schema::value::text_map - schema::value::boolean, Attr>,
                             std::map<std::string, std::string>>);
static_assert(field_of<std::variant_size_v<Attr> - 1> == schema::value::texts_map);

template <typename T>
T read_scalar(const wire::Field& field) {
  if constexpr (std::is_same_v<T, float>) {
    return field.float32();
  } else if constexpr (std::is_same_v<T, double>) {
    return field.float64();
  } else if constexpr (std::is_same_v<T, bool>) {
    return field.varint() != 0;
  } else {
    return static_cast<T>(field.varint());
  }
}

template <typename T>
T read_value(const wire::Field& field, wire::Budget& budget);

template <typename T>
void read_packed_floats(const wire::Field& field, wire::Budget& budget, std::vector<T>& list) {
  const auto bytes = field.bytes();
  if (bytes.size() % sizeof(T) != 0) throw ModelError("a list of numbers ends inside a number");
  budget.take(bytes.size() / sizeof(T));
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    wire::Field one;
    one.type = sizeof(T) == 4 ? wire::Type::fixed32 : wire::Type::fixed64;
    for (std::size_t i = sizeof(T); i-- > 0;) one.value = one.value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
    list.push_back(read_scalar<T>(one));
  }
}

template <typename T>
std::vector<T> read_list(wire::Message message, wire::Budget& budget) {
  std::vector<T> list;
  for (wire::Field field; message.next(field);) {
    if (field.number != schema::list::value) continue;
    if constexpr (std::is_floating_point_v<T>) {
      if (field.type == wire::Type::bytes) {
        read_packed_floats(field, budget, list);
        continue;
      }
    } else if constexpr (std::is_arithmetic_v<T>) {
      if (field.type == wire::Type::bytes) {
        for (auto packed = field.message(); !packed.at_end();) {
          budget.take(1);
          list.push_back(static_cast<T>(packed.varint()));
        }
        continue;
      }
    }
    budget.take(1);
    list.push_back(read_value<T>(field, budget));
  }
  return list;
}

template <typename T>
std::map<std::string, T> read_map(wire::Message message, wire::Budget& budget) {
  std::map<std::string, T> map;
  for (wire::Field field; message.next(field);) {
    if (field.number != schema::list::value) continue;
    budget.take(1);
    std::string key;
    T value{};
    auto entry = field.message();
    for (wire::Field part; entry.next(part);) {
      if (part.number == schema::entry::key) key = part.text();
      if (part.number == schema::entry::value) value = read_value<T>(part, budget);
    }
    map.insert_or_assign(std::move(key), std::move(value));
  }
  return map;
}

Bytes read_bytes_message(wire::Message message) {
  Bytes bytes;
  for (wire::Field field; message.next(field);) {
    if (field.number == schema::list::value) bytes.assign(field.bytes().begin(), field.bytes().end());
  }
  return bytes;
}

template <typename T>
T read_value(const wire::Field& field, wire::Budget& budget) {
  if constexpr (std::is_arithmetic_v<T>) {
    return read_scalar<T>(field);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return field.text();
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return read_bytes_message(field.message());
  } else if constexpr (is_list<T>::value) {
    return read_list<typename T::value_type>(field.message(), budget);
  } else {
    return read_map<typename T::mapped_type>(field.message(), budget);
  }
}

template <std::size_t... Index>
std::optional<Attr> read_alternative(const wire::Field& field, wire::Budget& budget, std::index_sequence<Index...>) {
  std::optional<Attr> attr;
  ((field.number == field_of<Index>
        ? (attr.emplace(read_value<std::variant_alternative_t<Index, Attr>>(field, budget)), true)
        : false) ||
   ...);
  return attr;
}

template <typename T>
void write_value(wire::Writer& writer, std::uint32_t field, const T& value);

template <typename T>
void write_list(wire::Writer& writer, const std::vector<T>& list) {
  if constexpr (std::is_arithmetic_v<T>) {
    if (list.empty()) return;
    writer.message(schema::list::value, [&] {
      for (const T item : list) {
        if constexpr (std::is_floating_point_v<T>) {
          writer.bare_float(item);
        } else {
          writer.bare_varint(static_cast<std::uint64_t>(item));
        }
      }
    });
  } else {
    for (const auto& item : list) write_value(writer, schema::list::value, item);
  }
}

template <typename T>
void write_value(wire::Writer& writer, std::uint32_t field, const T& value) {
  if constexpr (std::is_same_v<T, float>) {
    writer.float32(field, value);
  } else if constexpr (std::is_same_v<T, double>) {
    writer.float64(field, value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    writer.varint(field, static_cast<std::uint64_t>(value));
  } else if constexpr (std::is_same_v<T, std::string>) {
    writer.bytes(field, value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    writer.message(field, [&] { writer.bytes(schema::list::value, {value.data(), value.size()}); });
  } else if constexpr (is_list<T>::value) {
    writer.message(field, [&] { write_list(writer, value); });
  } else {
    writer.message(field, [&] {
      for (const auto& [key, item] : value) {
        writer.message(schema::list::value, [&, &map_key = key, &map_item = item] {
          writer.bytes(schema::entry::key, map_key);
          write_value(writer, schema::entry::value, map_item);
        });
      }
    });
  }
}

}  // namespace

std::optional<Attr> decode_attr(wire::Message message, wire::Budget& budget) {
  std::optional<Attr> attr;
  for (wire::Field field; message.next(field);) {
    auto value = read_alternative(field, budget, std::make_index_sequence<std::variant_size_v<Attr>>());
    if (value) attr = std::move(value);
  }
  return attr;
}

void decode_attr_entry(wire::Message entry, wire::Budget& budget, Attrs& attrs) {
  constexpr std::size_t entry_items = 8;  // a map's node needs the memory of several numbers
  budget.take(entry_items);
  std::string key;
  std::optional<Attr> value;
  for (wire::Field field; entry.next(field);) {
    if (field.number == schema::entry::key) key = field.text();
    if (field.number == schema::entry::value) value = decode_attr(field.message(), budget);
  }
  if (value) attrs.insert_or_assign(std::move(key), std::move(*value));
}

void encode_attrs(wire::Writer& writer, std::uint32_t field, const Attrs& attrs) {
  for (const auto& [key, attr] : attrs) {
    writer.message(field, [&writer, &name = key, &value = attr] {
      writer.bytes(schema::entry::key, name);
      writer.message(schema::entry::value, [&] {
        const auto number = schema::value::boolean + static_cast<std::uint32_t>(value.index());
        std::visit([&](const auto& content) { write_value(writer, number, content); }, value);
      });
    });
  }
}

}  // namespace nerone::xmodel
