#include "softdpu/plugin/buffers.hpp"

#include <nerone/error.hpp>
#include <string>

#include "xmodel/device_objects.hpp"

namespace nerone::softdpu {

namespace {

std::int64_t element_count(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const auto extent : shape) count *= extent;
  return count;
}

bool contains(const std::string& text, const std::string& part) {
  return !part.empty() && text.find(part) != std::string::npos;
}

// The index of the one buffer for a tensor: the same name, else one name inside the other.
std::size_t find_buffer(const std::string& tensor, const std::vector<std::string>& names, const char* kind) {
  std::size_t found = names.size();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == tensor) return i;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!contains(names[i], tensor) && !contains(tensor, names[i])) continue;
    if (found != names.size()) {
      throw ShapeError(std::string(kind) + " tensor '" + tensor + "' has several buffers whose names fit: '" +
                       names[found] + "' and '" + names[i] + "'");
    }
    found = i;
  }
  if (found == names.size()) {
    throw ShapeError(std::string("no ") + kind + " buffer is named like the tensor '" + tensor + "'");
  }
  return found;
}

BoundBuffer bind_one(vart::TensorBuffer* buffer, const TensorInfo& given, const TensorInfo& wanted, const char* kind) {
  auto whole = wanted.shape;
  if (!whole.empty() && given.shape.size() == whole.size() && given.shape[0] % whole[0] == 0) whole[0] = given.shape[0];
  if (given.shape != whole) {
    throw ShapeError(std::string(kind) + " '" + wanted.name + "' was given a buffer of shape " +
                     to_string(given.shape) + ", expected " + to_string(wanted.shape));
  }
  if (given.dtype != wanted.dtype && given.dtype != DType::float32) {
    throw DtypeError(std::string(kind) + " '" + wanted.name + "' was given a buffer of " + name_of(given.dtype) +
                     ", expected " + name_of(wanted.dtype) + (wanted.dtype == DType::float32 ? "" : " or float32"));
  }
  const auto batch = whole.empty() ? 1 : wanted.shape[0];
  return {buffer, given.dtype, whole.empty() ? 1 : whole[0] / batch, batch, whole.size()};
}

}  // namespace

OwnBuffer::OwnBuffer(const xir::Tensor* tensor, const TensorInfo& info)
    : vart::TensorBuffer(tensor),
      shape_(info.shape),
      item_bytes_(size_of(info.dtype)),
      size_bytes_(static_cast<std::size_t>(element_count(info.shape)) * item_bytes_),
      memory_(size_bytes_) {}

std::pair<std::uint64_t, std::size_t> OwnBuffer::data(const std::vector<std::int32_t> index) {
  std::int64_t offset = 0;
  if (index.size() > shape_.size()) return {0, 0};
  for (std::size_t axis = 0; axis < shape_.size(); ++axis) {
    const std::int64_t position = axis < index.size() ? index[axis] : 0;
    if (position < 0 || position >= shape_[axis]) return {0, 0};
    offset = offset * shape_[axis] + position;
  }
  const auto offset_bytes = static_cast<std::size_t>(offset) * item_bytes_;
  return {reinterpret_cast<std::uint64_t>(memory_.data() + offset_bytes), size_bytes_ - offset_bytes};
}

void* BoundBuffer::memory(std::int64_t run, std::size_t size_bytes) const {
  std::vector<std::int32_t> index(rank, 0);
  if (rank > 0) index[0] = static_cast<std::int32_t>(run * batch);
  const auto [address, available] = buffer->data(index);
  if (address == 0 || available < size_bytes) {
    throw ShapeError("the buffer of tensor '" + xmodel::describe(*buffer->get_tensor()).name + "' has " +
                     std::to_string(available) + " bytes, expected " + std::to_string(size_bytes));
  }
  return reinterpret_cast<void*>(address);
}

std::vector<BoundBuffer> bind(const std::vector<vart::TensorBuffer*>& buffers, const std::vector<TensorInfo>& tensors,
                              const char* kind) {
  if (buffers.size() != tensors.size()) {
    throw ShapeError("the runner was given " + std::to_string(buffers.size()) + " " + kind + " buffers, expected " +
                     std::to_string(tensors.size()));
  }
  std::vector<TensorInfo> given;
  std::vector<std::string> names;
  for (auto* buffer : buffers) {
    if (buffer == nullptr || buffer->get_tensor() == nullptr) {
      throw ShapeError(std::string("the runner was given an ") + kind + " buffer without a tensor");
    }
    given.push_back(xmodel::describe(*buffer->get_tensor()));
    names.push_back(given.back().name);
  }
  std::vector<BoundBuffer> bound;
  for (const auto& tensor : tensors) {
    const auto index = find_buffer(tensor.name, names, kind);
    bound.push_back(bind_one(buffers[index], given[index], tensor, kind));
    names[index].clear();  // taken
  }
  return bound;
}

}  // namespace nerone::softdpu
