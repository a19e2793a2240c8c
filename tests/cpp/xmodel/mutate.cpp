#include "mutate.hpp"

#include <algorithm>
#include <functional>

#include "graphs.hpp"

namespace nerone::xmodel::testing {

namespace {

std::size_t below(std::size_t bound, Random& random) {
  return bound == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}

std::int32_t odd_number(Random& random) {
  constexpr std::int32_t numbers[] = {0, 1, -1, 2, 3, 7, 127, 128, 255, 65536, 1 << 30, 2147483647, -2147483647 - 1};
  return numbers[below(std::size(numbers), random)];
}

template <typename Container>
auto& pick(Container& container, Random& random) {
  return *std::next(container.begin(), static_cast<std::ptrdiff_t>(below(container.size(), random)));
}

// Writes another number where a length may stand: behind a byte that looks like the tag of a field with a length.
void lie_about_a_length(std::string& file, Random& random) {
  const auto start = below(file.size(), random);
  for (auto at = start; at + 1 < file.size(); ++at) {
    if ((file[at] & 7) != 2) continue;
    file[at + 1] = static_cast<char>(random());
    return;
  }
}

void damage(std::string& file, const std::string& other, Random& random) {
  if (file.size() < 4) return;
  const auto at = below(file.size(), random);
  const auto count = 1 + below(std::min<std::size_t>(file.size() - at, 64), random);
  switch (below(8, random)) {
    case 0:
    case 1:
      file[at] = static_cast<char>(file[at] ^ (1 << below(8, random)));
      break;
    case 2:
      file[at] = static_cast<char>(random());
      break;
    case 3:
      file.erase(at, count);
      break;
    case 4:
      file.insert(below(file.size(), random), file.substr(at, count));
      break;
    case 5:
      file.insert(at, other.substr(below(other.size(), random), count));
      break;
    case 6:
      file.resize(at);
      break;
    default:
      lie_about_a_length(file, random);
  }
}

void change_attr(Attrs& attrs, Random& random) {
  static const auto values = every_attr();
  if (attrs.empty()) return;
  auto& [key, value] = pick(attrs, random);
  const auto name = key;
  if (auto* list = std::get_if<std::vector<std::int32_t>>(&value); list != nullptr && below(2, random) == 0) {
    if (list->empty() || below(4, random) == 0) {
      list->resize(below(7, random), odd_number(random));
    } else {
      pick(*list, random) = odd_number(random);
    }
  } else if (below(3, random) == 0) {
    attrs.erase(name);
  } else if (below(3, random) == 0 && std::holds_alternative<std::int32_t>(value)) {
    value = odd_number(random);
  } else {
    value = std::next(values.begin(), static_cast<std::ptrdiff_t>(below(values.size(), random)))->second;
  }
}

void change_inputs(Graph& graph, Op& op, Random& random) {
  if (op.inputs.empty() || below(4, random) == 0) {
    op.inputs["input"].push_back(below(graph.ops.size(), random));
    return;
  }
  auto& [role, producers] = pick(op.inputs, random);
  if (below(4, random) == 0) {
    const auto name = role;
    op.inputs.erase(name);
  } else if (!producers.empty()) {
    pick(producers, random) = below(graph.ops.size(), random);
  }
}

void change_type(Graph& graph, Op& op, Random& random) {
  constexpr const char* types[] = {
      "squeeze",       "strided_slice", "reshape", "transpose",     "argmax",     "matmul",
      "stack",         "resize",        "concat",  "inner-product", "batchnorm",  "tile-fix",
      "reduction_sum", "flatten",       "reorg",   "pixel-shuffle", "conv3d-fix", "pad"};
  op.type = below(2, random) == 0 ? pick(graph.ops, random).type : types[below(std::size(types), random)];
  for (const auto& [key, value] : Attrs{{"axis", odd_number(random)},
                                        {"scale", odd_number(random)},
                                        {"reverse", true},
                                        {"stride", odd_number(random)},
                                        {"paddings", std::vector<std::int32_t>(below(9, random), odd_number(random))},
                                        {"order", std::vector<std::int32_t>(below(6, random), odd_number(random))},
                                        {"mode", std::string("CONSTANT")},
                                        {"keep_dims", true},
                                        {"start_axis", odd_number(random)},
                                        {"end_axis", odd_number(random)},
                                        {"transpose_a", true},
                                        {"transpose_b", false},
                                        {"upscale", true},
                                        {"shape", std::vector<std::int32_t>{1, -1}},
                                        {"begin", std::vector<std::int32_t>(below(5, random), odd_number(random))},
                                        {"end", std::vector<std::int32_t>(below(5, random), odd_number(random))},
                                        {"strides", std::vector<std::int32_t>(below(5, random), odd_number(random))}}) {
    op.attrs.emplace(key, value);
  }
}

void change_tensor(Tensor& tensor, Random& random) {
  constexpr const char* types[] = {"INT8", "UINT16", "XUINT4", "FLOAT16", "FLOAT32", "INT64", "XINT8"};
  switch (below(4, random)) {
    case 0:
      tensor.data_type = types[below(std::size(types), random)];
      break;
    case 1:
      change_attr(tensor.attrs, random);
      break;
    case 2:
      tensor.shape.resize(below(7, random), 1);
      break;
    default:
      if (!tensor.shape.empty()) pick(tensor.shape, random) = odd_number(random);
  }
}

void change_subgraphs(Graph& graph, Random& random) {
  if (graph.root.children.empty()) return;
  auto& child = pick(graph.root.children, random);
  switch (below(5, random)) {
    case 0:
      child.children.clear();
      child.ops.resize(below(graph.ops.size(), random), below(graph.ops.size(), random));
      break;
    case 1:
      child.attrs["dpu_name"] = std::string(below(2, random) == 0 ? "DPUCZDX8G" : "DPUCAHX8H");
      break;
    case 2:
      change_attr(child.attrs, random);
      break;
    case 3:
      std::swap(child.ops, pick(graph.root.children, random).ops);
      break;
    default:
      graph.root.children.push_back(child);
  }
}

void change(Graph& graph, Random& random) {
  Op& op = pick(graph.ops, random);
  switch (below(8, random)) {
    case 0:
    case 1:
      return change_attr(op.attrs, random);
    case 2:
      return change_inputs(graph, op, random);
    case 3:
      return change_type(graph, op, random);
    case 4:
    case 5:
      return change_tensor(op.output, random);
    case 6:
      return change_subgraphs(graph, random);
    default:
      graph.ops.push_back(op);
      if (below(2, random) == 0) graph.ops.back().name += "_copy";
  }
}

}  // namespace

std::string mutate_bytes(const std::string& file, const std::string& other, Random& random) {
  auto mutated = file;
  for (auto left = 1 + below(3, random); left > 0; --left) damage(mutated, other, random);
  return mutated;
}

Graph mutate_graph(Graph graph, Random& random) {
  for (auto left = 1 + below(3, random); left > 0; --left) change(graph, random);
  return graph;
}

}  // namespace nerone::xmodel::testing
