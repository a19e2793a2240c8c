#include "softdpu/register_place.hpp"

#include <algorithm>
#include <cstring>
#include <nerone/error.hpp>

namespace nerone::softdpu {

namespace {

// visit(offset in the dense buffer, offset in the register, bytes) for each run of elements that lie together.
template <typename Visit>
void over_runs(const RegisterPlace& place, std::size_t axis, std::int64_t dense, std::int64_t at, Visit visit) {
  const auto& shape = place.info.shape;
  auto inner = std::int64_t{1};
  bool is_dense = true;
  for (auto i = shape.size(); i-- > axis;) {
    is_dense = is_dense && (shape[i] == 1 || place.strides[i] == inner);
    inner *= shape[i];
  }
  if (is_dense) {
    visit(dense, at, inner);
    return;
  }
  inner /= shape[axis];
  for (std::int64_t i = 0; i < shape[axis]; ++i) {
    over_runs(place, axis + 1, dense + i * inner, at + i * place.strides[axis], visit);
  }
}

std::vector<std::int64_t> dense_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (auto i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

const xmodel::Op& source_of(const xmodel::Graph& graph, const xmodel::Op& op) {
  const auto found = op.inputs.find("input");
  if (found == op.inputs.end() || found->second.size() != 1) throw ModelError("op '" + op.name + "' has no input");
  return graph.ops[found->second.front()];
}

void sort_by_name(std::vector<RegisterPlace>& places) {
  std::sort(places.begin(), places.end(), [](const auto& a, const auto& b) { return a.info.name < b.info.name; });
}

}  // namespace

std::int64_t RegisterPlace::end() const {
  auto last = address;
  for (std::size_t i = 0; i < info.shape.size(); ++i) last += (info.shape[i] - 1) * strides[i];
  return last + 1;
}

void RegisterPlace::copy_in(const void* dense, std::uint8_t* reg_bytes) const {
  over_runs(*this, 0, 0, address, [&](std::int64_t from, std::int64_t to, std::int64_t count) {
    std::memcpy(reg_bytes + to, static_cast<const std::uint8_t*>(dense) + from, static_cast<std::size_t>(count));
  });
}

void RegisterPlace::copy_out(const std::uint8_t* reg_bytes, void* dense) const {
  over_runs(*this, 0, 0, address, [&](std::int64_t to, std::int64_t from, std::int64_t count) {
    std::memcpy(static_cast<std::uint8_t*>(dense) + to, reg_bytes + from, static_cast<std::size_t>(count));
  });
}

RegisterPlace place_of(const xmodel::Tensor& named, const xmodel::Tensor& placed) {
  const auto where = "tensor '" + placed.name + "' ";
  if (placed.attrs.count("reg_id") == 0 || placed.attrs.count("ddr_addr") == 0) {
    throw ModelError(where + "has no place in a register, so that its subgraph's instructions cannot be run");
  }
  RegisterPlace place;
  place.info.name = named.name;
  place.info.shape.assign(named.shape.begin(), named.shape.end());
  place.info.fix_point = named.fix_point() ? named.fix_point() : placed.fix_point();
  place.reg = xmodel::attr_or<std::int32_t>(placed.attrs, "reg_id", 0);
  place.address = xmodel::attr_or<std::int32_t>(placed.attrs, "ddr_addr", 0);
  const auto strides = xmodel::attr_or<std::vector<std::int32_t>>(placed.attrs, "stride", {});
  place.strides.assign(strides.begin(), strides.end());
  if (strides.size() != named.shape.size()) place.strides = dense_strides(place.info.shape);
  if (named.element_count() != placed.element_count() || named.element_count() < 1) {
    throw ModelError(where + "has " + std::to_string(placed.element_count()) + " elements, expected " +
                     std::to_string(named.element_count()));
  }
  if (place.address < 0 || *std::min_element(place.strides.begin(), place.strides.end()) < 0) {
    throw ModelError(where + "lies before its register");
  }
  return place;
}

RegisterPlaces places_of(const xmodel::Graph& graph, const std::vector<std::string>& outputs) {
  RegisterPlaces places;
  for (const auto index : graph.root.children.at(0).ops) {
    const auto& op = graph.ops[index];
    if (op.type == "upload") {
      places.inputs.push_back(place_of(source_of(graph, op).output, op.output));
      continue;
    }
    const bool is_output =
        outputs.empty() ? op.type == "download" : std::count(outputs.begin(), outputs.end(), op.output.name) != 0;
    if (!is_output) continue;
    const auto& placed = op.type == "download" ? source_of(graph, op).output : op.output;
    places.outputs.push_back(place_of(op.output, placed));
  }
  sort_by_name(places.inputs);
  sort_by_name(places.outputs);
  if (!outputs.empty() && places.outputs.size() != outputs.size()) {
    throw ModelError("subgraph '" + graph.root.children[0].name + "' has outputs that none of its ops gives");
  }
  return places;
}

}  // namespace nerone::softdpu
