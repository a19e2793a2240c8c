#include "run/raw.hpp"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <nerone/error.hpp>

#include "run/stop.hpp"

namespace nerone::run {

namespace {

Picture empty_picture(const RawFormat& format) {
  return {format.dtype, format.height, format.width, format.channels, std::vector<char>(format.frame_bytes())};
}

class Stream final : public Source {
 public:
  explicit Stream(const RawFormat& format) : format_(format) {}

  std::optional<SourceFrame> next() override {
    SourceFrame frame;
    frame.stem = "frame_" + std::to_string(number_);
    frame.place = "frame " + std::to_string(number_);
    frame.picture = empty_picture(format_);
    auto& bytes = frame.picture.bytes;
    for (std::size_t done = 0; done < bytes.size();) {
      if (!wait_readable(STDIN_FILENO)) return std::nullopt;
      const auto count = ::read(STDIN_FILENO, bytes.data() + done, bytes.size() - done);
      if (count < 0 && errno != EINTR) {
        throw ConfigurationError(std::string("standard input cannot be read: ") + std::strerror(errno));
      }
      if (count == 0 && done == 0) return std::nullopt;
      if (count == 0) {
        throw ConfigurationError("standard input ends within " + frame.place + ", after " + std::to_string(done) +
                                 " of " + std::to_string(bytes.size()) + " bytes; check --raw");
      }
      if (count > 0) done += static_cast<std::size_t>(count);
    }
    ++number_;
    return frame;
  }
  bool is_live() const override { return true; }

 private:
  RawFormat format_;
  std::int64_t number_ = 0;
};

}  // namespace

RawFile::RawFile(const std::filesystem::path& path, const RawFormat& format)
    : path_(path), format_(format), stream_(path, std::ios::binary) {
  const auto place = "'" + path.string() + "'";
  if (!stream_)
    throw ConfigurationError(place + " cannot be read: " + std::strerror(errno) + "; check its permissions");
  const auto size = std::filesystem::file_size(path);
  const auto frame = format.frame_bytes();
  if (size == 0 || size % frame != 0) {
    throw ConfigurationError(place + " has " + std::to_string(size) + " bytes, no multiple of a frame's " +
                             std::to_string(frame) + "; check --raw");
  }
  if (size / frame > INT_MAX) {
    throw ConfigurationError(place + " holds " + std::to_string(size / frame) + " frames, more than " +
                             std::to_string(INT_MAX) + "; check --raw");
  }
  count_ = static_cast<int>(size / frame);
}

Picture RawFile::read(int number) {
  auto picture = empty_picture(format_);
  stream_.seekg(static_cast<std::streamoff>(picture.bytes.size()) * number);
  if (!stream_.read(picture.bytes.data(), static_cast<std::streamsize>(picture.bytes.size()))) {
    throw ConfigurationError("'" + path_.string() + "' cannot be read to its end; copy it again");
  }
  return picture;
}

std::unique_ptr<Source> open_stream(const RawFormat& format) { return std::make_unique<Stream>(format); }

}  // namespace nerone::run
