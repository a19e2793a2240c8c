#pragma once

// A model file of one DPU subgraph for the tests of the device and of the model.

#include <unistd.h>

#include <filesystem>
#include <map>
#include <nerone/xmodel.hpp>
#include <string>
#include <vector>

namespace nerone::testing {

using Texts = std::map<std::string, std::string>;
using Ints = std::vector<std::int32_t>;

inline xmodel::Op fixed_op(const std::string& name, const std::string& type, xmodel::Attrs attrs,
                           std::map<std::string, std::vector<std::size_t>> inputs, Ints shape = {1, 2, 2, 1}) {
  xmodel::Tensor tensor{name + "_t",
                        std::move(shape),
                        "XINT8",
                        {{"fix_point", std::int32_t{4}},
                         {"bit_width", std::int32_t{8}},
                         {"if_signed", true},
                         {"round_mode", std::string("DPU_ROUND")}}};
  return {name, type, std::move(attrs), std::move(inputs), std::move(tensor)};
}

inline xmodel::Attrs dpu_attrs() {
  return {{"device", std::string("DPU")},
          {"dpu_name", std::string("DPUCZDX8G_NERONE")},
          {"dpu_fingerprint", std::uint64_t{0}},
          {"runner", Texts{{"run", "libvart-dpu-runner.so"}}}};
}

// x -> x + x, int8 with fix point 4.
inline xmodel::Graph doubling_graph() {
  xmodel::Graph graph;
  graph.name = "doubling";
  graph.ops.push_back(
      fixed_op("x", "data-fix", {{"shape", Ints{1, 2, 2, 1}}, {"data_type", std::string("XINT8")}}, {}));
  graph.ops.push_back(fixed_op("double", "eltwise-fix",
                               {{"type", std::string("ADD")}, {"nonlinear", std::string("NONE")}},
                               {{"input", {0, 0}}}));
  graph.root = {
      "root", {}, {0, 1}, {{"in", {{"device", std::string("USER")}}, {0}, {}}, {"dpu", dpu_attrs(), {1}, {}}}};
  return graph;
}

// A file that is removed in the end.
class TemporaryModel {
 public:
  explicit TemporaryModel(const xmodel::Graph& graph)
      : path(std::filesystem::temp_directory_path() /
             ("nerone_" + std::to_string(getpid()) + "_" + std::to_string(count()++) + ".xmodel")) {
    xmodel::write(graph, path);
  }
  ~TemporaryModel() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
  TemporaryModel(const TemporaryModel&) = delete;
  TemporaryModel& operator=(const TemporaryModel&) = delete;

  const std::filesystem::path path;

 private:
  static int& count() {
    static int count = 0;
    return count;
  }
};

}  // namespace nerone::testing
