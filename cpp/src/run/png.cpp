#include "run/png.hpp"

#include <png.h>

#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nerone/error.hpp>

namespace nerone::run {

namespace {

constexpr png_uint_32 most_pixels = 16384;  // a side, as of the preprocessing

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string problem;

  Reader() {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &Reader::fail, &Reader::ignore);
    info = png == nullptr ? nullptr : png_create_info_struct(png);
    if (info == nullptr) throw std::bad_alloc();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }

  static void fail(png_structp png, png_const_charp message) {
    static_cast<Reader*>(png_get_error_ptr(png))->problem = message;
    png_longjmp(png, 1);
  }
  static void ignore(png_structp, png_const_charp) {}
};

// In these two nothing has a destructor: libpng leaves them by longjmp. False where it did.
bool read_start(Reader& reader, std::FILE* file) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_user_limits(reader.png, most_pixels, most_pixels);
  png_init_io(reader.png, file);
  png_read_info(reader.png, reader.info);
  const auto kind = png_get_color_type(reader.png, reader.info);
  if (kind == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(reader.png);
  if (kind == PNG_COLOR_TYPE_GRAY) {
    png_set_expand_gray_1_2_4_to_8(reader.png);
    png_set_swap(reader.png);  // 16 bits are stored with the high byte first
  } else {
    png_set_strip_16(reader.png);
  }
  png_set_strip_alpha(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_pixels(Reader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return true;
}

}  // namespace

Picture read_png(const std::filesystem::path& path) {
  const auto place = "'" + path.string() + "'";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) throw ConfigurationError(place + " cannot be read: " + std::strerror(errno) + "; check its permissions");
  Reader reader;
  const auto refuse = [&] {
    throw ConfigurationError(place + " is no PNG picture, or damaged (" + reader.problem + "); copy it again");
  };
  if (!read_start(reader, file.get())) refuse();
  const int channels = png_get_channels(reader.png, reader.info);
  Picture picture;
  picture.dtype = png_get_bit_depth(reader.png, reader.info) == 16 ? DType::uint16 : DType::uint8;
  picture.height = static_cast<int>(png_get_image_height(reader.png, reader.info));
  picture.width = static_cast<int>(png_get_image_width(reader.png, reader.info));
  picture.channels = channels == 1 ? 0 : channels;
  const auto row_bytes = png_get_rowbytes(reader.png, reader.info);
  // Deflate makes a byte of 1,032 at most: what is larger cannot come out of this file.
  constexpr std::uintmax_t most_of_a_byte = 1032;
  const auto wanted = std::uintmax_t{row_bytes} * static_cast<std::uintmax_t>(picture.height);
  if (const auto size = std::filesystem::file_size(path); wanted / most_of_a_byte > size) {
    reader.problem = std::to_string(size) + " bytes cannot hold " + std::to_string(wanted);
    refuse();
  }
  picture.bytes.resize(row_bytes * static_cast<std::size_t>(picture.height));
  std::vector<png_bytep> rows;
  for (int y = 0; y < picture.height; ++y) {
    rows.push_back(reinterpret_cast<png_bytep>(picture.bytes.data()) + row_bytes * static_cast<std::size_t>(y));
  }
  if (!read_pixels(reader, rows.data())) refuse();
  return picture;
}

std::string png_of(const Mask& mask, const std::vector<std::uint8_t>& ids) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(mask.width);
  image.height = static_cast<png_uint_32>(mask.height);
  image.format = PNG_FORMAT_GRAY;
  auto levels = mask.classes;
  for (auto& level : levels) {
    if (level < ids.size()) level = ids[level];
  }
  std::string file(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = file.size();
  if (!png_image_write_to_memory(&image, file.data(), &size, 0, levels.data(), 0, nullptr)) {
    throw Error(std::string("a mask cannot be written as PNG (") + image.message + "); use --format npy");
  }
  file.resize(size);
  return file;
}

}  // namespace nerone::run
