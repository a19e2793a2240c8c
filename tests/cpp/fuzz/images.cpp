// Pictures of nerone-run: the first byte chooses the format, PNG, NPY or raw frames.

#include <png.h>
#include <zlib.h>

#include <cstdlib>
#include <cstring>
#include <nerone/error.hpp>

#include "mutations.hpp"
#include "run/npy.hpp"
#include "run/png.hpp"
#include "run/raw.hpp"

namespace nerone::fuzz {

namespace {

constexpr int height = 5, width = 7;
constexpr std::size_t png_start = 8;

std::string png(png_uint_32 format) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  std::vector<char> pixels(PNG_IMAGE_SIZE(image));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i * 7);
  std::vector<char> map(256 * 4);
  png_alloc_size_t size = 4096;
  std::string file(size, '\0');
  image.colormap_entries = 16;
  for (auto& pixel : pixels) {
    if (format & PNG_FORMAT_FLAG_COLORMAP) pixel = static_cast<char>(pixel & 15);
  }
  if (!png_image_write_to_memory(&image, file.data(), &size, (format & PNG_FORMAT_FLAG_LINEAR) == 0, pixels.data(), 0,
                                 map.data()))
    std::abort();
  file.resize(size);
  return file;
}

std::string npy(const std::string& type, const std::string& shape, std::size_t bytes) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }\n";
  std::string file = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
  for (std::size_t i = 0; i < bytes; ++i) file += static_cast<char>(i * 11);
  return file;
}

std::uint32_t number_at(const std::string& file, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(file[at + i]);
  return number;
}

// Makes the check sums of a PNG's chunks right, so that what was changed in them is read.
void mend_sums(std::string& file) {
  for (std::size_t at = png_start; at + 12 <= file.size();) {
    const std::size_t length = number_at(file, at);
    if (length > file.size() - at - 12) return;
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(file.data() + at + 4), static_cast<uInt>(length + 4));
    for (int i = 0; i < 4; ++i) {
      file[at + 8 + length + static_cast<std::size_t>(i)] = static_cast<char>(sum >> (24 - 8 * i));
    }
    at += length + 12;
  }
}

// Changes a byte of the header's fields: sizes, depth, colour type, interlacing.
void change_header(std::string& file, Random& random) {
  if (file.size() < 33) return;
  constexpr char values[] = {0, 1, 2, 3, 4, 6, 8, 16, 127, static_cast<char>(255)};
  file[16 + below(13, random)] = values[below(std::size(values), random)];
}

void change_text(std::string& file, Random& random) {
  constexpr const char* words[] = {
      "'>i8'",           "'<f8'",        "'|b1'",          "'<f2'", "'|O8'",      "True",      "(0, 3)",
      "(1000000, 2, 2)", "(3, 4, 5, 6)", "(99999999999,)", "((((",  "'shape': (", "(2, 2, 2)", "("};
  const std::string word = words[below(std::size(words), random)];
  file.insert(10 + below(std::min<std::size_t>(file.size() - 10, 80), random), word);
}

}  // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> inputs;
  constexpr png_uint_32 formats[] = {PNG_FORMAT_GRAY,
                                     PNG_FORMAT_GA,
                                     PNG_FORMAT_RGB,
                                     PNG_FORMAT_RGBA,
                                     PNG_FORMAT_RGB_COLORMAP,
                                     PNG_FORMAT_LINEAR_Y,
                                     PNG_FORMAT_LINEAR_RGB_ALPHA};
  for (const auto format : formats) {
    inputs.push_back('\0' + png(format));
  }
  inputs.push_back('\1' + npy("<i2", "2, 3, 5", 60));
  inputs.push_back('\1' + npy("|u1", "4, 5, 3", 60));
  inputs.push_back('\1' + npy(">f8", "2, 3", 48));
  inputs.push_back('\1' + npy("<i8", "1, 2, 3, 1", 48));
  inputs.push_back('\2' + std::string(24, 'x'));
  return inputs;
}

std::string mutated(const std::string& input, const std::string& other, Random& random) {
  if (input.size() < 12) return damaged(input, other, random);
  auto file = input.substr(1);
  const bool is_png = input[0] % 3 == 0;
  if (below(2, random) == 0) file = damaged(file, other, random);
  if (file.size() < 12) return input[0] + file;
  if (is_png) {
    if (below(2, random) == 0) change_header(file, random);
    if (below(4, random) != 0) mend_sums(file);
  } else if (input[0] % 3 == 1 && below(2, random) == 0) {
    change_text(file, random);
  }
  return input[0] + file;
}

bool enter(const std::string& input) {
  static const MemoryFile memory;
  if (input.empty()) return false;
  const auto path = memory.hold(input.data() + 1, input.size() - 1);
  try {
    if (input[0] % 3 == 0) {
      const auto picture = run::read_png(path);
      run::Mask mask{1, 2, {0, 1}};
      return !picture.bytes.empty() && !run::png_of(mask, {}).empty();
    }
    if (input[0] % 3 == 1) {
      run::NpyFile file(path);
      for (int i = 0; i < std::min(file.count(), 8); ++i) file.read(i);
      return true;
    }
    run::RawFile file(path, {DType::int16, 3, 4, 0});
    for (int i = 0; i < std::min(file.count(), 8); ++i) file.read(i);
    return true;
  } catch (const Error& error) {
    check_message(error.what());
    return false;
  }
}

}  // namespace nerone::fuzz
