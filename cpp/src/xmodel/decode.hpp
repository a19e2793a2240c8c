#pragma once

// The messages of a file as they stand there: names are not yet resolved and nothing is checked but the bytes.

#include <nerone/xmodel.hpp>
#include <optional>
#include <string_view>

namespace nerone::xmodel {

struct RawInput {
  std::string role;
  std::vector<std::string> ops;
};

struct RawOp {
  Op op;  // without inputs
  std::vector<RawInput> inputs;
};

struct RawSubgraph {
  std::string name;
  Attrs attrs;
  std::vector<std::string> ops;
  std::vector<RawSubgraph> children;
};

struct RawGraph {
  std::string name;
  Attrs attrs;
  std::vector<RawOp> ops;
  std::optional<RawSubgraph> root;
};

RawGraph decode(std::string_view file, const Limits& limits);

}  // namespace nerone::xmodel
