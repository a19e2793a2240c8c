#include "softdpu/jit/task.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <utility>

#include "softdpu/jit/byte_chains.hpp"
#include "softdpu/jit/conv_kernel.hpp"
#include "softdpu/jit/depthwise_pairs.hpp"
#include "softdpu/jit/max_pool.hpp"
#include "softdpu/jit/pack.hpp"
#include "softdpu/jit/resample.hpp"
#include "softdpu/jit/sum.hpp"
#include "softdpu/jit/upsampled_conv.hpp"
#include "softdpu/jit/winograd.hpp"
#include "softdpu/step_info.hpp"

namespace nerone::softdpu::jit {
namespace {

class TaskMaker {
 public:
  TaskMaker(const TensorGraph& graph, const Memory& memory, const Node& node, const PlanOptions& options)
      : graph_(graph),
        memory_(memory),
        node_(node),
        isa_(options.isa),
        never_negative_(options.never_negative),
        make_kernel_(options.make_kernel) {}

  Task make(const PackNode& pack) const {
    const PackRule rule{pack.input_width, pack.input_channels, pack.kernel_w, pack.stride_w, pack.pad_left};
    return task(rule.kernel > 1 ? "unfold" : "pack", image_kernels(),
                [isa = isa_, rule, from = memory_.dense(node_.inputs[0]), to = output()](const Frame& frame) {
                  const auto image = to.image(frame);
                  jit::pack(isa, static_cast<const std::int8_t*>(from.read(frame)), rule, image,
                            frame.share.of(image.height));
                });
  }

  Task make(const UnpackNode&) const {
    const auto& channels = tensor(node_.inputs[0]).channels;
    std::vector<int> positions(static_cast<std::size_t>(tensor(node_.inputs[0]).extents.channels));
    for (std::size_t i = 0; i < channels.size(); ++i) {
      if (channels[i] >= 0) positions[static_cast<std::size_t>(channels[i])] = static_cast<int>(i);
    }
    return task(
        "unpack", image_kernels(),
        [unpack = Unpacker(isa_, positions), from = input(0), to = memory_.dense(node_.output)](const Frame& frame) {
          const auto image = from.const_image(frame);
          unpack(image, static_cast<std::int8_t*>(to.write(frame)), frame.share.of(image.height));
        });
  }

  Task make(const ConvNode& conv) const;

  Task make(const UpsampledConvNode& node) const {
    const bool has_large = node_.inputs.size() > 1;
    const auto small = input(0), large = has_large ? input(1) : PackedPlace{}, to = output();
    const auto kernel = std::make_shared<const UpsampledConv>(
        node.conv, UpsampledConv::Images{small.shape, large.shape, to.shape},
        UpsampledConv::Channels{node.small_channels, has_large ? tensor(node_.inputs[1]).channels : ChannelMap{},
                                never_negative_.of(node_.inputs[0]),
                                has_large ? never_negative_.of(node_.inputs[1]) : std::vector<bool>{}},
        isa_);
    auto result =
        task("upsampled " + kind_of(node.conv), kernel->name(), [kernel, small, large, to](const Frame& frame) {
          (*kernel)(frame.arena + small.offset, frame.arena + large.offset, frame.arena + to.offset,
                    static_cast<std::uint8_t*>(frame.scratch), frame.share);
        });
    result.info.macs = node.conv.macs();
    result.info.computed_macs = kernel->macs();
    result.info.bytes += static_cast<std::int64_t>(kernel->weight_bytes());
    result.scratch_bytes = kernel->scratch_bytes();
    return result;
  }

  Task make(const MaxPoolNode& pool) const {
    const auto& window = pool.window;
    return task("max pool " + std::to_string(window.kernel_h) + "x" + std::to_string(window.kernel_w), image_kernels(),
                [isa = isa_, window, from = input(0), to = output()](const Frame& frame) {
                  const auto image = to.image(frame);
                  max_pool(isa, from.const_image(frame), image, window, frame.share.of(image.height));
                });
  }

  Task make(const SumNode& node) const {
    std::vector<PackedPlace> places;
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) places.push_back(input(i));
    const SumRule rule{node.input_shifts, node.shift, node.bounds};
    return task(places.size() > 1 ? "add" : "requantize", image_kernels(),
                [isa = isa_, rule, places, to = output()](const Frame& frame) {
                  std::array<ConstImage, max_sum_inputs> inputs;
                  for (std::size_t i = 0; i < places.size(); ++i) inputs[i] = places[i].const_image(frame);
                  const auto image = to.image(frame);
                  sum(isa, inputs.data(), rule, image, frame.share.of(image.height));
                });
  }

  Task make(const ProductNode& node) const {
    return task("multiply", image_kernels(),
                [isa = isa_, rule = node.rule, first = input(0), second = input(1), to = output()](const Frame& frame) {
                  const auto image = to.image(frame);
                  multiply(isa, first.const_image(frame), second.const_image(frame), rule, image,
                           frame.share.of(image.height));
                });
  }

  Task make(const TableNode& node) const {
    const auto table = std::make_shared<const ByteTable>(node.table);
    return task("table", image_kernels(), [isa = isa_, table, from = input(0), to = output()](const Frame& frame) {
      const auto image = to.image(frame);
      look_up(isa, from.const_image(frame), *table, image, frame.share.of(image.height));
    });
  }

  Task make(const GlobalAverageNode& node) const {
    return task("global average", image_kernels(),
                [isa = isa_, rule = node.rule, from = input(0), to = output()](const Frame& frame) {
                  const auto image = to.image(frame);
                  average(isa, from.const_image(frame), rule, image, frame.share.of(image.groups));
                });
  }

  Task make(const UpsampleNode& node) const {
    const bool pads = std::min(*std::min_element(node.rows.begin(), node.rows.end()),
                               *std::min_element(node.columns.begin(), node.columns.end())) < 0;
    const bool enlarges = node.rows.size() >= static_cast<std::size_t>(tensor(node_.inputs[0]).height());
    return task(pads       ? "pad"
                : enlarges ? "upsample"
                           : "subsample",
                image_kernels(), [isa = isa_, node, from = input(0), to = output()](const Frame& frame) {
                  const auto image = to.image(frame);
                  resample(isa, from.const_image(frame), node.rows, node.columns, image, node.fill,
                           frame.share.of(image.height));
                });
  }

  Task make(const DenseNode& node) const {
    std::vector<DensePlace> places;
    for (const int input : node_.inputs) places.push_back(memory_.dense(input));
    const std::shared_ptr<const StepKernel> kernel = make_kernel_(node.operation);
    auto result = task("other", "dense", [kernel, places, to = memory_.dense(node_.output)](const Frame& frame) {
      for (std::size_t i = 0; i < places.size(); ++i) frame.operands[i] = places[i].read(frame);
      kernel->run(frame.state, frame.operands, to.write(frame), frame.scratch);
    });
    result.step_kernel = kernel;
    result.is_shared = false;
    result.scratch_bytes = kernel->scratch_bytes();
    return result;
  }

 private:
  const Tensor& tensor(int index) const { return graph_.tensors[static_cast<std::size_t>(index)]; }
  PackedPlace input(std::size_t index) const { return memory_.packed(node_.inputs[index]); }
  std::vector<ConvShape> shapes_of(const ConvNode& node, const Requantize& rule) const;
  Task make_winograd(const ConvNode& node) const;
  PackedPlace output() const { return memory_.packed(node_.output); }

  std::int64_t bytes_of(int index) const {
    const auto& of = tensor(index);
    return of.packed ? of.extents.height * of.extents.width * of.groups() * group_channels
                     : static_cast<std::int64_t>(of.dense_bytes);
  }

  // Of what works on whole images.
  const char* image_kernels() const { return isa_ == Isa::avx512_vnni ? "avx512" : "avx2"; }

  Task task(std::string kind, std::string kernel, std::function<void(const Frame&)> run) const {
    std::int64_t bytes = bytes_of(node_.output);
    for (const int index : node_.inputs) bytes += bytes_of(index);
    Task result;
    result.info = {node_.name, std::move(kind), std::move(kernel), 0, bytes, 0};
    result.run = std::move(run);
    return result;
  }

  const TensorGraph& graph_;
  const Memory& memory_;
  const Node& node_;
  Isa isa_;
  const NeverNegative& never_negative_;
  const KernelMaker& make_kernel_;
};

// A grid's code with the weights it reads.
struct CompiledGrid {
  ConvWeights weights;
  std::unique_ptr<ConvKernel> kernel;
};

std::string name_of(const ConvTile& tile) {
  const auto size = std::to_string(tile.channels) + "x" + std::to_string(tile.rows) + "x" + std::to_string(tile.blocks);
  return tile.fold > 1 ? size + "/" + std::to_string(tile.fold) : size;
}

// " bytes3" for chains of three taps, for each run that has chains.
std::string products_in(const ConvShape& shape) {
  if (!shape.pair_chains.empty()) return " pairs" + std::to_string(shape.pair_chains.size());
  std::string text;
  for (const auto& run : shape.runs) {
    text += run.chains.are_used() ? (run.chains.spread ? " spread" : " bytes") + std::to_string(run.chains.longest())
                                  : " words";
  }
  return text;
}

// Words take two multiplications where a chain takes one, and one more at its end.
double peak_ratio_of(const std::vector<ConvShape>& shapes) {
  double groups = 0, relative = 0;
  for (const auto& shape : shapes) {
    for (const auto& run : shape.runs) {
      const auto& lengths = run.chains.lengths;
      const auto taps = std::accumulate(lengths.begin(), lengths.end(), 0.0);
      groups += run.groups;
      relative += run.groups * (lengths.empty() ? 1.0 : (taps + static_cast<double>(lengths.size())) / (2.0 * taps));
    }
  }
  return groups > 0 ? groups / relative : 1.0;
}

std::vector<ConvShape> TaskMaker::shapes_of(const ConvNode& node, const Requantize& rule) const {
  const auto in = input(0).shape, out = output().shape;
  const auto positions = tensor(node_.inputs[0]).channels.size();
  const auto channels = node.conv.depthwise ? positions : static_cast<std::size_t>(node.conv.output.channels);
  const auto grids = *grids_of(node.conv);
  std::vector<ConvShape> shapes;
  for (const auto& grid : grids) {
    ConvShape shape;
    shape.isa = isa_;
    shape.grid = grid;
    shape.depthwise = node.conv.depthwise;
    shape.input_groups = in.groups;
    shape.channels = static_cast<int>(channels);
    shape.input = {in.row_bytes, in.group_bytes};
    shape.output = {out.row_bytes, out.group_bytes};
    shape.requantize = rule;
    shape.upsample = node.upsample;
    shape.pair_chains =
        pair_chains_of(node.conv, shape, tensor(node_.inputs[0]).channels, never_negative_.of(node_.inputs[0]));
    const ProductPlanner planner(node.conv, shape, tensor(node_.inputs[0]).channels,
                                 never_negative_.of(node_.inputs[0]));
    for (const auto& part : split_columns(shape)) shapes.push_back(planner.with_fastest(part));
  }
  return shapes;
}

bool is_faster_by_winograd(Isa isa, const ConvNode& node, int groups, const std::vector<ConvShape>& shapes) {
  if (isa != Isa::avx2 || node.upsample || !can_use_winograd(node.conv)) return false;
  double cost = 0;
  for (const auto& shape : shapes) cost += cost_of(shape);
  return winograd_cost(node.conv, groups) < cost;
}

Task TaskMaker::make_winograd(const ConvNode& node) const {
  const auto from = input(0), to = output();
  const auto& channels = tensor(node_.inputs[0]).channels;
  const auto kernel = std::make_shared<const WinogradConv>(node.conv, from.shape, to.shape, channels);
  auto result =
      task(kind_of(node.conv), std::string(products_of(isa_)) + " winograd", [kernel, from, to](const Frame& frame) {
        (*kernel)(frame.arena + from.offset, frame.arena + to.offset, static_cast<std::uint8_t*>(frame.scratch),
                  frame.share);
      });
  result.info.macs = node.conv.macs();
  result.info.computed_macs = kernel->macs();
  result.info.bytes += static_cast<std::int64_t>(kernel->weight_bytes());
  result.scratch_bytes = kernel->scratch_bytes();
  return result;
}

Task TaskMaker::make(const ConvNode& node) const {
  const auto& conv = node.conv;
  const auto& channels = tensor(node_.inputs[0]).channels;
  const auto from = input(0), to = output();
  const auto requantization = *requantization_of(conv);
  auto grids = std::make_shared<std::vector<CompiledGrid>>();
  std::string kernel = products_of(isa_);
  std::int64_t weight_bytes = 0;
  const auto shapes = shapes_of(node, requantization.rule);
  if (is_faster_by_winograd(isa_, node, from.shape.groups, shapes)) return make_winograd(node);
  for (const auto& shape : shapes) {
    const auto tile = choose_tile(shape);
    CompiledGrid compiled{pack_weights(conv, shape, tile, channels, requantization), nullptr};
    compiled.kernel = std::make_unique<ConvKernel>(shape, tile);
    weight_bytes += static_cast<std::int64_t>(compiled.weights.weights.size());
    kernel += " " + name_of(tile);
    kernel += products_in(shape);
    grids->push_back(std::move(compiled));
  }
  auto result =
      task(kind_of(conv) + (node.upsample ? " + upsample" : ""), kernel, [grids, from, to](const Frame& frame) {
        for (const auto& grid : *grids) {
          (*grid.kernel)({frame.arena + from.offset, frame.arena + to.offset, grid.weights.weights.data(),
                          grid.weights.bias.data(), grid.weights.half_bits.data()},
                         frame.share.of(grid.kernel->tiles()));
        }
      });
  result.info.macs = result.info.computed_macs = conv.macs();
  result.info.peak_ratio = peak_ratio_of(shapes);
  result.info.bytes += weight_bytes;
  return result;
}

}  // namespace

Task make_task(const TensorGraph& graph, const Memory& memory, const Node& node, const PlanOptions& options) {
  const TaskMaker maker(graph, memory, node, options);
  return std::visit([&](const auto& work) { return maker.make(work); }, node.work);
}

}  // namespace nerone::softdpu::jit
