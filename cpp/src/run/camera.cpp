#include "run/camera.hpp"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nerone/error.hpp>

#include "run/stop.hpp"

namespace nerone::run {

namespace {

constexpr unsigned buffer_count = 4;

class Camera final : public Source {
 public:
  Camera(const std::filesystem::path& device, int width, int height) : name_("'" + device.string() + "'") {
    file_ = ::open(device.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (file_ < 0) fail("cannot be opened", "name a camera that is connected and that you may read");
    try {
      choose_format(width, height);
      map_buffers();
      int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      ask(VIDIOC_STREAMON, &type, "does not start");
    } catch (...) {
      release();
      throw;
    }
  }
  Camera(const Camera&) = delete;
  Camera& operator=(const Camera&) = delete;
  ~Camera() override { release(); }

  std::optional<SourceFrame> next() override {
    v4l2_buffer buffer = {};
    do {
      if (!wait_readable(file_)) return std::nullopt;
      buffer = {};
      buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      buffer.memory = V4L2_MEMORY_MMAP;
    } while (ioctl(file_, VIDIOC_DQBUF, &buffer) != 0 && (errno == EAGAIN || errno == EINTR));
    if (buffer.index >= buffers_.size() || (buffer.length == 0 && buffer.bytesused == 0)) {
      fail("gives no frame", "connect it again");
    }
    SourceFrame frame;
    frame.stem = "frame_" + std::to_string(number_);
    frame.place = "frame " + std::to_string(number_++);
    frame.picture = copy_picture(static_cast<const unsigned char*>(buffers_[buffer.index].first));
    ask(VIDIOC_QBUF, &buffer, "takes no buffer back");
    return frame;
  }
  bool is_live() const override { return true; }

 private:
  [[noreturn]] void fail(const char* what, const char* remedy) const {
    throw DeviceError("the camera " + name_ + " " + what + " (" + std::strerror(errno) + "); " + remedy);
  }
  void ask(unsigned long request, void* argument, const char* what) const {
    if (ioctl(file_, request, argument) != 0) fail(what, "name a V4L2 camera that gives RGB24 or YUYV");
  }
  void choose_format(int width, int height) {
    for (const unsigned format : {V4L2_PIX_FMT_RGB24, V4L2_PIX_FMT_YUYV}) {
      format_ = {};
      format_.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      format_.fmt.pix.width = static_cast<unsigned>(width);
      format_.fmt.pix.height = static_cast<unsigned>(height);
      format_.fmt.pix.pixelformat = format;
      format_.fmt.pix.field = V4L2_FIELD_NONE;
      ask(VIDIOC_S_FMT, &format_, "has no video format to set");
      if (format_.fmt.pix.pixelformat == format) return;
    }
    throw DeviceError("the camera " + name_ +
                      " gives neither RGB24 nor YUYV; choose another, or convert its frames "
                      "and pipe them in: nerone-run BUNDLE - --raw HEIGHTxWIDTHx3:uint8");
  }
  void map_buffers() {
    v4l2_requestbuffers request = {};
    request.count = buffer_count;
    request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    request.memory = V4L2_MEMORY_MMAP;
    ask(VIDIOC_REQBUFS, &request, "gives no buffers");
    const auto needed = static_cast<std::size_t>(format_.fmt.pix.bytesperline) * format_.fmt.pix.height;
    for (unsigned i = 0; i < request.count; ++i) {
      v4l2_buffer buffer = {};
      buffer.type = request.type;
      buffer.memory = request.memory;
      buffer.index = i;
      ask(VIDIOC_QUERYBUF, &buffer, "gives no buffers");
      void* memory =
          mmap(nullptr, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, file_, static_cast<off_t>(buffer.m.offset));
      if (memory == MAP_FAILED || buffer.length < needed) fail("has buffers that do not fit", "choose another size");
      buffers_.emplace_back(memory, buffer.length);
      ask(VIDIOC_QBUF, &buffer, "takes no buffers");
    }
  }
  Picture copy_picture(const unsigned char* from) const {
    const auto& pixels = format_.fmt.pix;
    Picture picture{DType::uint8, static_cast<int>(pixels.height), static_cast<int>(pixels.width), 3, {}};
    const std::size_t row_bytes = std::size_t{3} * pixels.width;
    picture.bytes.resize(row_bytes * pixels.height);
    for (unsigned y = 0; y < pixels.height; ++y) {
      const auto* row = from + static_cast<std::size_t>(pixels.bytesperline) * y;
      char* to = picture.bytes.data() + row_bytes * y;
      if (pixels.pixelformat == V4L2_PIX_FMT_YUYV) {
        yuyv_to_rgb(row, static_cast<int>(pixels.width), to);
      } else {
        std::memcpy(to, row, row_bytes);
      }
    }
    return picture;
  }
  void release() {
    for (const auto& [memory, length] : buffers_) munmap(memory, length);
    buffers_.clear();
    ::close(file_);
  }

  std::string name_;
  int file_ = -1;
  v4l2_format format_ = {};
  std::vector<std::pair<void*, std::size_t>> buffers_;
  int number_ = 0;
};

char saturated(int value) { return static_cast<char>(static_cast<unsigned char>(std::clamp(value >> 8, 0, 255))); }

}  // namespace

void yuyv_to_rgb(const unsigned char* yuyv, int width, char* rgb) {
  for (int x = 0; x < width; ++x) {
    const int pair = x / 2 * 4;
    const int luma = 298 * (yuyv[pair + x % 2 * 2] - 16) + 128, u = yuyv[pair + 1] - 128, v = yuyv[pair + 3] - 128;
    rgb[3 * x] = saturated(luma + 409 * v);
    rgb[3 * x + 1] = saturated(luma - 100 * u - 208 * v);
    rgb[3 * x + 2] = saturated(luma + 516 * u);
  }
}

std::unique_ptr<Source> open_camera(const std::filesystem::path& device, int width, int height) {
  return std::make_unique<Camera>(device, width, height);
}

}  // namespace nerone::run
