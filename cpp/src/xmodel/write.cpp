#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nerone/error.hpp>
#include <nerone/xmodel.hpp>

#include "door/installation.hpp"
#include "xmodel/check.hpp"
#include "xmodel/encode.hpp"
#include "xmodel/texts.hpp"

namespace nerone::xmodel {

namespace {

// A file beside the target, removed again unless it was renamed over it.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& target)
      : target_(target), path_(target.string() + ".part" + std::to_string(::getpid())) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail();
  }
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!renamed_) ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(const std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      const auto count = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) fail();
      done += static_cast<std::size_t>(count);
    }
  }

  void commit() {
    if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) fail();
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0 || ::rename(path_.c_str(), target_.c_str()) != 0) fail();
    renamed_ = true;
  }

 private:
  [[noreturn]] void fail() {
    const std::string reason = std::strerror(errno);
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
    ::unlink(path_.c_str());
    throw Error("'" + target_.string() + "' cannot be written: " + reason +
                "; free some space or choose another place");
  }

  std::filesystem::path target_;
  std::string path_;
  int descriptor_ = -1;
  bool renamed_ = false;
};

}  // namespace

void write(const Graph& graph, const std::filesystem::path& file) {
  std::string bytes;
  try {
    check_libxir_ops(graph);
    check(graph, Limits{});
    door::installed().make_graph(graph)->infer_shapes();
    bytes = encode(graph);
  } catch (const ModelError& error) {
    throw ModelError("'" + file.string() + "' is not written: " + one_line(error.what()));
  }
  NewFile output(file);
  output.write(bytes);
  output.commit();
}

}  // namespace nerone::xmodel
