#include "vart/port.hpp"

#include <algorithm>
#include <nerone/error.hpp>

namespace nerone::vart {

const Port& find_port(const std::vector<Port>& ports, const TensorInfo& tensor, std::size_t tensors,
                      const std::string& subgraph) {
  const auto fits = [&](const Port& port) {
    return size_bytes({{}, port.images.front().shape, port.info.dtype, {}}) == size_bytes(tensor);
  };
  const auto find = [&](auto matches) {
    return std::find_if(ports.begin(), ports.end(),
                        [&](const Port& port) { return fits(port) && matches(port.info.name); });
  };
  auto found = find([&](const std::string& name) { return name == tensor.name; });
  if (found == ports.end()) {
    found = find([&](const std::string& name) {
      return name.find(tensor.name) != std::string::npos || tensor.name.find(name) != std::string::npos;
    });
  }
  if (found == ports.end() && ports.size() == 1 && tensors == 1) found = find([](const std::string&) { return true; });
  if (found == ports.end()) {
    throw ModelError("the runner of subgraph '" + subgraph + "' has no buffer for tensor '" + tensor.name +
                     "' of shape " + to_string(tensor.shape) + " and dtype " + name_of(tensor.dtype) +
                     "; compile the model again");
  }
  return *found;
}

}  // namespace nerone::vart
