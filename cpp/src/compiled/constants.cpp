#include "compiled/constants.hpp"

#include <algorithm>
#include <map>
#include <nerone/error.hpp>

#include "compiled/phases.hpp"
#include "xmodel/outline.hpp"
#include "xmodel/registers.hpp"

namespace nerone::compiled {

namespace {

using Ints = std::vector<std::int32_t>;

bool is_convolution(const std::string& type) {
  return type == "conv2d-fix" || type == "depthwise-conv2d-fix" || type.rfind("transposed-", 0) == 0;
}

bool stands_in_register(const xmodel::Op& op) {
  return op.is_constant() && xmodel::attr_or<bool>(op.attrs, xmodel::from_register_attr, false);
}

bool follows_instructions(const xmodel::Subgraph& subgraph) {
  const auto layout = xmodel::attr_or<std::string>(subgraph.attrs, layout_attr, {});
  if (layout == "declared") return false;
  if (!layout.empty() && layout != "instructions") {
    throw ModelError("subgraph '" + subgraph.name + "' says that its constants lie as '" + layout +
                     "', expected 'declared' or 'instructions'; use the version of NERONE that wrote the model");
  }
  return !layout.empty() || !xmodel::attr_or<xmodel::Bytes>(subgraph.attrs, "mc_code", {}).empty();
}

// The one producer of a role; null where there is none.
xmodel::Op* operand(xmodel::Graph& graph, const xmodel::Op& op, const char* role) {
  const auto found = op.inputs.find(role);
  return found == op.inputs.end() || found->second.size() != 1 ? nullptr : &graph.ops[found->second.front()];
}

// The instructions of a subgraph, decoded when they are asked for.
class Instructions {
 public:
  explicit Instructions(const xmodel::Subgraph& subgraph) : subgraph_(subgraph) {}

  PhaseOrder order_for(const StoredWeights& weights, const TransposedKernel& kernel) {
    if (!read_) read();
    return stream_.empty() ? PhaseOrder::by_first_tap(kernel) : order_of_phases(stream_, machine_, weights, kernel);
  }

 private:
  void read() {
    read_ = true;
    for (const char* key : {"mc_code_preload", "mc_code"}) {
      const auto code = xmodel::attr_or<xmodel::Bytes>(subgraph_.attrs, key, {});
      if (code.empty()) continue;
      machine_ = isa::machine_of(xmodel::attr_or<std::uint64_t>(subgraph_.attrs, "dpu_fingerprint", 0),
                                 xmodel::attr_or<std::string>(subgraph_.attrs, "dpu_name", {}));
      const auto part = isa::decode(code.data(), code.size(), machine_.version);
      stream_.insert(stream_.end(), part.begin(), part.end());
    }
  }

  const xmodel::Subgraph& subgraph_;
  bool read_ = false;
  isa::Machine machine_;
  isa::Stream stream_;
};

// Each constant is changed once, whoever reads it.
class Restorer {
 public:
  Restorer(xmodel::Graph& graph, const xmodel::Subgraph& subgraph) : graph_(graph), instructions_(subgraph) {}

  void run() {
    for (const auto& op : graph_.ops) {
      if (!is_convolution(op.type)) continue;
      restore_bias(op);
      if (op.type.rfind("transposed-", 0) == 0) restore_weights(op);
    }
  }

 private:
  void restore_bias(const xmodel::Op& op) {
    const auto* input = operand(graph_, op, "input");
    const auto* weights = operand(graph_, op, "weights");
    auto* bias = operand(graph_, op, "bias");
    if (input == nullptr || weights == nullptr || bias == nullptr || !stands_in_register(*bias)) return;
    const auto fi = input->output.fix_point(), fw = weights->output.fix_point(), fb = declared_fix_point(*bias);
    if (!fi || !fw || !fb) return;
    const auto stored = std::min<std::int64_t>(*fb, std::int64_t{*fi} + *fw + 1);
    const auto [entry, is_new] = fix_points_.emplace(bias, stored);
    if (!is_new && entry->second != stored) {
      throw ModelError("bias '" + bias->name + "' is read by two convolutions that want it with fix points " +
                       std::to_string(entry->second) + " and " + std::to_string(stored) + "; compile the model again");
    }
    bias->output.attrs["fix_point"] = static_cast<std::int32_t>(stored);
  }

  std::optional<int> declared_fix_point(const xmodel::Op& bias) {
    const auto found = declared_.find(&bias);
    if (found != declared_.end()) return found->second;
    return declared_[&bias] = bias.output.fix_point();
  }

  void restore_weights(const xmodel::Op& op) {
    auto* weights = operand(graph_, op, "weights");
    if (weights == nullptr || !stands_in_register(*weights)) return;
    const auto stride = xmodel::attr_or<Ints>(op.attrs, "stride", {1, 1});
    const auto pad = xmodel::attr_or<Ints>(op.attrs, "pad", {0, 0, 0, 0});
    const auto& shape = weights->output.shape;
    const bool is_known = stride.size() == 2 && pad.size() == 4 && shape.size() == 4;
    if (!is_known || std::min(stride[0], stride[1]) < 1) return;  // the engine refuses them
    const TransposedKernel kernel{shape[1], shape[2], stride[1], stride[0], pad[2], pad[0]};
    if (kernel.kernel_h <= kernel.stride_h && kernel.kernel_w <= kernel.stride_w) return;
    const auto [entry, is_new] = strides_.emplace(weights, stride);
    if (!is_new && entry->second != stride) {
      throw ModelError("weights '" + weights->name +
                       "' are read by two transposed convolutions of different strides; compile the model again");
    }
    if (!is_new) return;
    const auto order = instructions_.order_for(place_of(op, *weights), kernel);
    reorder(std::get<xmodel::Bytes>(weights->attrs.at("data")), shape, stored_taps(kernel, order));
  }

  static StoredWeights place_of(const xmodel::Op& op, const xmodel::Op& weights) {
    const auto& attrs = weights.output.attrs;
    return {op.name, xmodel::attr_or<std::int32_t>(attrs, "reg_id", 0),
            xmodel::attr_or<std::int32_t>(attrs, "ddr_addr", 0), weights.output.shape[3],
            op.type.find("depthwise") != std::string::npos};
  }

  static void reorder(xmodel::Bytes& data, const Ints& shape, const std::vector<int>& taps) {
    const auto stored = data;
    const auto depth = static_cast<std::size_t>(shape[3]);
    const auto filter = taps.size() * depth;
    for (std::size_t start = 0; start + filter <= stored.size(); start += filter) {
      for (std::size_t place = 0; place < taps.size(); ++place) {
        std::copy_n(stored.data() + start + place * depth, depth,
                    data.data() + start + static_cast<std::size_t>(taps[place]) * depth);
      }
    }
  }

  xmodel::Graph& graph_;
  Instructions instructions_;
  std::map<const xmodel::Op*, std::optional<int>> declared_;
  std::map<const xmodel::Op*, std::int64_t> fix_points_;
  std::map<const xmodel::Op*, Ints> strides_;
};

}  // namespace

void restore_constants(xmodel::Graph& graph) {
  for (const auto& child : graph.root.children) {
    if (follows_instructions(child)) Restorer(graph, child).run();
  }
}

std::vector<xmodel::Op> declared_constants(const xmodel::Handle& file) {
  std::vector<xmodel::Op> constants;
  for (const auto& child : file.graph().root.children) {
    if (child.device() != "DPU") continue;
    auto graph = xmodel::describe(file.graph(), child);
    restore_constants(graph);
    for (auto& op : graph.ops) {
      if (op.is_constant()) constants.push_back(std::move(op));
    }
  }
  return constants;
}

}  // namespace nerone::compiled
