#include "xmodel/infer.hpp"

#include <nerone/error.hpp>
#include <string>
#include <unordered_map>
#include <xir/op/op.hpp>
#include <xir/tensor/tensor.hpp>

#include "xmodel/libxir.hpp"

namespace nerone::xmodel {

namespace {

// How libxir's inference indexes shapes: not at all, as NHWC (weights too), or by an attribute "axis".
enum class Indexing { none, nhwc, axis };

const std::unordered_map<std::string, Indexing>& bounded_types() {
  static const std::unordered_map<std::string, Indexing> types = {{"data", Indexing::none},
                                                                  {"data-fix", Indexing::none},
                                                                  {"const", Indexing::none},
                                                                  {"const-fix", Indexing::none},
                                                                  {"upload", Indexing::none},
                                                                  {"download", Indexing::none},
                                                                  {"fix", Indexing::none},
                                                                  {"float2fix", Indexing::none},
                                                                  {"fix2float", Indexing::none},
                                                                  {"eltwise-fix", Indexing::none},
                                                                  {"reshape-fix", Indexing::none},
                                                                  {"pad-fix", Indexing::none},
                                                                  {"upsample-fix", Indexing::none},
                                                                  {"downsample-fix", Indexing::none},
                                                                  {"hard-sigmoid-fix", Indexing::none},
                                                                  {"softmax", Indexing::none},
                                                                  {"relu", Indexing::none},
                                                                  {"relu6", Indexing::none},
                                                                  {"leaky-relu", Indexing::none},
                                                                  {"sigmoid", Indexing::none},
                                                                  {"conv2d-fix", Indexing::nhwc},
                                                                  {"depthwise-conv2d-fix", Indexing::nhwc},
                                                                  {"transposed-conv2d-fix", Indexing::nhwc},
                                                                  {"transposed-depthwise-conv2d-fix", Indexing::nhwc},
                                                                  {"pool-fix", Indexing::nhwc},
                                                                  {"concat", Indexing::axis},
                                                                  {"concat-fix", Indexing::axis}};
  return types;
}

bool is_bounded(const xir::Op* op) {
  const auto found = bounded_types().find(op->get_type());
  if (found == bounded_types().end()) return false;
  const auto inputs = op->get_input_tensors("input");
  if (found->second == Indexing::nhwc) {
    const bool has_weights = op->get_input_num("weights") == 1;
    const auto rank_is_4 = [](const xir::Tensor* tensor) { return tensor->get_shape().size() == 4; };
    const bool group_fits = !op->has_attr("group") || op->get_attr<std::int32_t>("group") > 0;
    return rank_is_4(inputs.at(0)) && (!has_weights || rank_is_4(op->get_input_tensor("weights"))) && group_fits;
  }
  if (found->second == Indexing::axis) {
    const auto rank = static_cast<std::int32_t>(inputs.at(0)->get_shape().size());
    const auto axis = op->get_attr<std::int32_t>("axis");
    return axis >= -rank && axis < rank;
  }
  return true;
}

}  // namespace

void infer_shapes(xir::Graph& graph) {
  for (auto* op : call_libxir([&] { return graph.topological_sort(); })) {
    try {
      call_libxir([&] {
        if (is_bounded(op)) op->shape_infer();
      });
    } catch (const ModelError& error) {
      throw ModelError("the shapes around op '" + op->get_name() + "' (" + op->get_type() + ") do not fit together, " +
                       error.what());
    }
  }
}

}  // namespace nerone::xmodel
