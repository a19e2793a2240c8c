#include "run/npy.hpp"

#include <cstring>
#include <nerone/error.hpp>
#include <regex>

#include "run/plain.hpp"

namespace nerone::run {

namespace {

constexpr char magic[] = "\x93NUMPY";
// Of plain arrays; std::regex takes stack for each character.
constexpr std::size_t most_header_bytes = 1024;
constexpr std::int64_t most_image_bytes = std::int64_t{1} << 31;

}  // namespace

NpyFile::NpyFile(const std::filesystem::path& path) : path_(path), stream_(path, std::ios::binary) {
  const auto place = "'" + path.string() + "'";
  if (!stream_)
    throw ConfigurationError(place + " cannot be read: " + std::strerror(errno) + "; check its permissions");
  char start[12] = {};
  stream_.read(start, 10);
  const bool second = start[6] >= 2;
  if (second) stream_.read(start + 10, 2);
  if (!stream_ || std::memcmp(start, magic, 6) != 0) {
    throw ConfigurationError(place + " is no NumPy array; save it with numpy.save");
  }
  std::size_t length = 0;
  for (int i = second ? 11 : 9; i >= 8; --i) length = length << 8 | static_cast<unsigned char>(start[i]);
  std::string header(length <= most_header_bytes ? length : 0, '\0');
  stream_.read(header.data(), static_cast<std::streamsize>(header.size()));
  std::smatch type, order, shape;
  if (!stream_ || !std::regex_search(header, type, std::regex("'descr': *'([<>|=])([a-z]\\d+)'")) ||
      !std::regex_search(header, order, std::regex("'fortran_order': *(True|False)")) ||
      !std::regex_search(header, shape, std::regex("'shape': *\\(([\\d, ]*)\\)"))) {
    throw ConfigurationError(place + " holds no plain array of numbers; save one with numpy.save");
  }
  type_ = type[2];
  swapped_ = type[1] == ">";
  data_ = stream_.tellg();
  if (element_bytes(type_) == 0) {
    throw ConfigurationError(place + " holds elements of type " + type_ + "; expected integers, bool, f4 or f8");
  }
  if (order[1] == "True") {
    throw ConfigurationError(place + " is in Fortran order; save it with numpy.save(file, numpy.ascontiguousarray(a))");
  }
  std::vector<std::int64_t> extents;
  const std::string numbers = shape[1];
  const std::regex number("\\d{1,9}");
  for (std::sregex_iterator i(numbers.begin(), numbers.end(), number), end; i != end; ++i) {
    extents.push_back(std::stoll(i->str()));
  }
  const auto rank = extents.size();
  const bool one = rank == 2 || (rank == 3 && extents[2] <= 4);
  if (!one && rank != 3 && rank != 4) {
    throw ShapeError(place + " holds an array of shape (" + numbers +
                     "); expected (H, W), (H, W, C), (N, H, W) or (N, H, W, C)");
  }
  const std::size_t first = one ? 0 : 1;
  const std::int64_t channels = rank == first + 3 ? extents[first + 2] : 0;
  std::int64_t bytes = static_cast<std::int64_t>(element_bytes(type_));
  for (std::size_t i = 0; i < rank; ++i) {
    if (extents[i] < 1) throw ShapeError(place + " has an empty axis, its shape is (" + numbers + ")");
    if (i >= first && (bytes *= extents[i]) > most_image_bytes) {
      throw ShapeError(place + " holds images of more than 2 GiB, its shape is (" + numbers + ")");
    }
  }
  count_ = one ? 1 : static_cast<int>(extents[0]);
  height_ = static_cast<int>(extents[first]);
  width_ = static_cast<int>(extents[first + 1]);
  channels_ = static_cast<int>(channels);
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  if (size - data_ < bytes * count_) {
    throw ConfigurationError(place + " is cut short: " + std::to_string(size) + " bytes, expected " +
                             std::to_string(data_ + bytes * count_) + "; copy it again");
  }
}

Picture NpyFile::read(int number) {
  const auto count = static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_) *
                     static_cast<std::size_t>(channels_ == 0 ? 1 : channels_);
  std::vector<char> bytes(count * element_bytes(type_));
  stream_.seekg(data_ + static_cast<std::streamoff>(bytes.size()) * number);
  if (!stream_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
    throw ConfigurationError("'" + path_.string() + "' cannot be read to its end; copy it again");
  }
  Picture picture{DType::uint8, height_, width_, channels_, {}};
  make_plain(bytes.data(), count, type_, swapped_, picture);
  return picture;
}

std::string npy_of(const Mask& mask) {
  constexpr std::size_t alignment = 64, before = 10;
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (" + std::to_string(mask.height) + ", " +
                       std::to_string(mask.width) + "), }";
  header.resize((before + header.size() + 1 + alignment - 1) / alignment * alignment - before - 1, ' ');
  header += '\n';
  std::string file(magic, 6);
  file += {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  file += header;
  file.append(reinterpret_cast<const char*>(mask.classes.data()), mask.classes.size());
  return file;
}

}  // namespace nerone::run
