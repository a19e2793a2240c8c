// What strangers' names and files may not do.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nerone/error.hpp>
#include <string>

#include "run/arguments.hpp"
#include "run/npy.hpp"
#include "run/png.hpp"
#include "run/printable.hpp"
#include "run/raw.hpp"
#include "run/table.hpp"

namespace nerone::run {
namespace {

namespace fs = std::filesystem;

class File {
 public:
  explicit File(const std::string& content)
      : path(fs::temp_directory_path() / ("nerone-run-" + std::to_string(::getpid()))) {
    std::ofstream(path, std::ios::binary) << content;
  }
  ~File() { fs::remove(path); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  fs::path path;
};

TEST(PrintableLine, KeepsTextOfAllScriptsAndSpaces) {
  for (const char* text : {"", "Größe µm", "頭部CT.npy", "ниже", "a\xC2\xA0z", "\xF0\x9F\xA9\xBA"}) {
    EXPECT_EQ(printable_line(text), text);
  }
}

TEST(PrintableLine, TakesCommandsAndLineBreaksOut) {
  const std::string lost = "\xEF\xBF\xBD";
  EXPECT_EQ(printable_line("a\nb\rc\x1b[2J\x7f"), "a" + lost + "b" + lost + "c" + lost + "[2J" + lost);
  EXPECT_EQ(printable_line("tab\tulator"), "tab ulator");
  EXPECT_EQ(printable_line("\xC2\x9B"), lost);                       // a command of one character
  EXPECT_EQ(printable_line("\xE2\x80\xAE"), lost);                   // turns the writing
  EXPECT_EQ(printable_line("\xFF\xC3"), lost + lost);                // no UTF-8
  EXPECT_EQ(printable_line("\xC0\xAF"), lost + lost);                // longer than it need be
  EXPECT_EQ(printable_line("\xED\xA0\x80"), lost + lost + lost);     // half a character of UTF-16
  EXPECT_EQ(printable_line("\xF4\x90\x80\x80").substr(0, 3), lost);  // behind the last character
}

TEST(Table, MarksWhatASpreadsheetWouldRun) {
  for (const std::string name :
       {"=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", " =1", "--1", "-1e", "-1 1", "-.", "\uFF1D1", "+1e5x"}) {
    EXPECT_EQ(table_field(name), "'" + name);
  }
  EXPECT_EQ(table_field("=\",\""), "\"'=\"\",\"\"\"");
}

TEST(Table, LeavesNumbersAndNames) {
  for (const std::string name : {"", " ", "-", "=", "-2.5", "+3", "-1e-05", "-.5", "-3.2 %", "liver", "a=b", "5"}) {
    EXPECT_EQ(table_field(name), name);
  }
}

TEST(Files, NpyHeadersOfAnyLengthAreRefusedWithASentence) {
  std::string header = "{'descr': '<i2', 'fortran_order': False, 'shape': (" + std::string(60'000, '1') + "), }\n";
  const std::string length = {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  const File file(std::string("\x93NUMPY\x01\x00", 8) + length + header);
  EXPECT_THROW(NpyFile{file.path}, ConfigurationError);
}

TEST(Files, PngThatCannotHoldItsPixelsIsRefusedBeforeTheyAreAllocated) {
  Mask mask{4, 4, std::vector<std::uint8_t>(16, 1)};
  auto png = png_of(mask, {});
  EXPECT_EQ(read_png(File(png).path).height, 4);
  // 16384 x 16384 pixels; the sum is of the header with these sizes.
  const std::string header("IHDR\0\0\x40\0\0\0\x40\0\x08\0\0\0\0", 17), sum("\x8c\xa3\x4f\x58", 4);
  png.replace(12, 21, header + sum);
  try {
    read_png(File(png).path);
    FAIL() << "it was read";
  } catch (const ConfigurationError& error) {
    EXPECT_NE(std::string(error.what()).find("cannot hold 268435456"), std::string::npos) << error.what();
  }
}

TEST(Files, RawFilesOfMoreFramesThanAreCountedAreRefused) {
  const File file("");
  fs::resize_file(file.path, std::uintmax_t{3} << 30);  // of one hole
  EXPECT_THROW((RawFile{file.path, {DType::uint8, 1, 1, 0}}), ConfigurationError);
}

TEST(Arguments, LongOnesAreRefused) {
  const std::string text = "1x1:" + std::string(100'000, 'a');
  EXPECT_THROW(parse_raw_format(text), ConfigurationError);
}

}  // namespace
}  // namespace nerone::run
