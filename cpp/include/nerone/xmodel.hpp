#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nerone/export.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nerone::xmodel {

using Bytes = std::vector<char>;

// The attribute types of XIR that occur in model files. The type is part of the value: XIR refuses
// an attribute of another type than its op definition names.
using Attr =
    std::variant<bool, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, float, double, std::string, Bytes,
                 std::vector<bool>, std::vector<std::int32_t>, std::vector<std::uint32_t>, std::vector<std::int64_t>,
                 std::vector<std::uint64_t>, std::vector<float>, std::vector<double>, std::vector<std::string>,
                 std::vector<Bytes>, std::map<std::string, std::int32_t>, std::map<std::string, std::uint32_t>,
                 std::map<std::string, std::int64_t>, std::map<std::string, std::uint64_t>,
                 std::map<std::string, std::string>, std::map<std::string, Bytes>,
                 std::map<std::string, std::vector<std::int32_t>>, std::map<std::string, std::vector<std::uint32_t>>,
                 std::map<std::string, std::vector<std::int64_t>>, std::map<std::string, std::vector<std::uint64_t>>,
                 std::map<std::string, std::vector<std::string>>>;
using Attrs = std::map<std::string, Attr>;

// The value of an attribute, or the fallback where it is absent; ModelError where it has another type.
template <typename T>
NERONE_EXPORT T attr_or(const Attrs& attrs, const std::string& key, T fallback);

struct NERONE_EXPORT Tensor {
  std::string name;
  std::vector<std::int32_t> shape;
  std::string data_type;  // XIR's name: "XINT8", "FLOAT32", "INT32" ...
  Attrs attrs;

  std::optional<int> fix_point() const;
  std::int64_t element_count() const;
};

// One op and its one output tensor. Inputs are indices into Graph::ops, by role ("input", "weights", "bias").
struct NERONE_EXPORT Op {
  std::string name;
  std::string type;
  Attrs attrs;
  std::map<std::string, std::vector<std::size_t>> inputs;
  Tensor output;

  bool is_constant() const;  // weights, or other data that stands in the file
  bool is_data() const;      // an input of the model
};

struct NERONE_EXPORT Subgraph {
  std::string name;
  Attrs attrs;
  std::vector<std::size_t> ops;  // indices into Graph::ops, children's included
  std::vector<Subgraph> children;

  std::string device() const;  // "USER", "DPU", "CPU", or "" where it has none
};

// A model file in plain values. Ops are in topological order: an op's inputs have smaller indices.
struct Graph {
  std::string name;
  Attrs attrs;
  std::vector<Op> ops;
  Subgraph root;
};

// Limits of what is accepted, so that a damaged length cannot exhaust the machine.
struct Limits {
  std::size_t max_file_bytes = std::size_t{1} << 30;
  std::size_t max_ops = std::size_t{1} << 17;
  std::size_t max_tensor_bytes = std::size_t{1} << 30;
  std::size_t max_items = std::size_t{1} << 24;  // elements of all lists and maps together, data bytes not counted
  int max_subgraph_depth = 16;
};

// Reads and checks a file without libxir. Every name refers to something, shapes fit the data, weights lie
// inside their register, required attributes are there with their type. Throws ModelError saying what is wrong.
NERONE_EXPORT Graph read(const std::filesystem::path& file, const Limits& limits = {});
NERONE_EXPORT Graph read_bytes(const void* data, std::size_t size_bytes, const Limits& limits = {});

// Has libxir accept the graph, then writes it beside the target and renames it over the target. The same graph gives
// the same bytes. Throws ModelError for a graph that XIR would not accept, Error where the file cannot be written.
NERONE_EXPORT void write(const Graph& graph, const std::filesystem::path& file);

}  // namespace nerone::xmodel
