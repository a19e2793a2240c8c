#include "xmodel/wire.hpp"

#include <gtest/gtest.h>

#include <nerone/error.hpp>

#include "xmodel/texts.hpp"

namespace nerone::xmodel {
namespace {

wire::Message message_of(const std::string& bytes) { return {bytes, bytes.data()}; }

wire::Field first_field(const std::string& bytes) {
  auto message = message_of(bytes);
  wire::Field field;
  EXPECT_TRUE(message.next(field));
  return field;
}

TEST(Wire, ReadsWhatItWrites) {
  wire::Writer writer;
  writer.varint(1, 0xFFFFFFFFFFFFFFFF);
  writer.float32(2, -1.5F);
  writer.float64(3, 0.1);
  writer.bytes(400, "text");
  writer.message(5, [&] { writer.varint(1, 300); });
  const auto bytes = writer.take();
  auto message = message_of(bytes);
  wire::Field field;
  ASSERT_TRUE(message.next(field));
  EXPECT_EQ(field.varint(), 0xFFFFFFFFFFFFFFFF);
  ASSERT_TRUE(message.next(field));
  EXPECT_EQ(field.float32(), -1.5F);
  ASSERT_TRUE(message.next(field));
  EXPECT_EQ(field.float64(), 0.1);
  ASSERT_TRUE(message.next(field));
  EXPECT_EQ(field.number, 400U);
  EXPECT_EQ(field.text(), "text");
  ASSERT_TRUE(message.next(field));
  auto inner = field.message();
  ASSERT_TRUE(inner.next(field));
  EXPECT_EQ(field.varint(), 300U);
  EXPECT_FALSE(inner.next(field));
  EXPECT_FALSE(message.next(field));
}

TEST(Wire, RefusesWhatRunsPastTheEnd) {
  for (const auto& bytes : {std::string("\x0A\x05x"), std::string("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
                            std::string("\x0D\x01\x02"), std::string("\x09\x01"), std::string("\x08"),
                            std::string("\x08\x80"), std::string("\x08") + std::string(11, '\x80')}) {
    EXPECT_THROW(first_field(bytes), ModelError) << bytes.size();
  }
}

TEST(Wire, RefusesFieldsThatCannotBe) {
  EXPECT_THROW(first_field(std::string("\x00\x01", 2)), ModelError);  // number 0
  EXPECT_THROW(first_field("\x0B"), ModelError);                      // a group
  EXPECT_THROW(first_field("\x0E"), ModelError);                      // type 6
  EXPECT_THROW(first_field("\x08\x01").text(), ModelError);           // a number, not a text
  EXPECT_THROW(first_field("\x0A\x01x").varint(), ModelError);
}

TEST(Wire, BudgetEnds) {
  wire::Budget budget(3);
  budget.take(2);
  budget.take(1);
  EXPECT_THROW(budget.take(1), ModelError);
}

TEST(Texts, KnowsUtf8) {
  for (const char* good : {"", "plain", "\xC3\xB6", "\xE2\x98\x83", "\xF0\x9F\xA7\xA0", "\xEF\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xC3", "\xC0\x80", "\xE2\x98", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xF8\x88\x80\x80\x80", "\xE0\x80\x80", "\xF0\x80\x80\x80", "a\xFFz"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(Texts, MakesOneReadableLine) {
  EXPECT_EQ(one_line("a\nb\tc\x7F"), "a?b?c?");
  EXPECT_LT(one_line(std::string(100'000, 'x')).size(), 700U);
}

}  // namespace
}  // namespace nerone::xmodel
