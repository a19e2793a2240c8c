#include "softdpu/onednn/conv.hpp"

#include <omp.h>

#include <cmath>
#include <dnnl.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace nerone::softdpu::onednn {

namespace {

using Dims = dnnl::memory::dims;
using Format = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

// One image, one thread: images run in parallel instead.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// oneDNN 2.6 computes wrong rows where a transposed convolution's stride leaves rows without any tap.
bool is_known_to_fail(const Conv& conv) {
  const auto& window = conv.window;
  return conv.transposed && (window.kernel_h < window.stride_h || window.kernel_w < window.stride_w);
}

bool is_exact(const Conv& conv) {
  if (is_known_to_fail(conv)) return false;
  const auto kind = conv.activation.kind;
  const bool is_clamp =
      kind == Activation::Kind::none || kind == Activation::Kind::relu || kind == Activation::Kind::relu6;
  if (!is_clamp || conv.shift_cut < -24 || conv.shift_cut > 15) return false;
  if (conv.accumulator_bound() / 128 * 255 >= 1 << 24) return false;
  for (std::int64_t channel = 0; channel < conv.output.channels; ++channel) {
    if (std::abs(conv.doubled_bias(channel)) >= 1 << 23) return false;
  }
  return !conv.depthwise || conv.multiplier == 1;
}

dnnl::primitive_attr attributes(const Conv& conv) {
  dnnl::primitive_attr attr;
  attr.set_output_scales(0, {std::ldexp(1.0F, -conv.shift_cut)});
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops post_ops;
  if (conv.activation.clip_at_96) {
    post_ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_clip, 0.0F, 96.0F);
  } else if (conv.activation.kind != Activation::Kind::none) {
    post_ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
  }
  attr.set_post_ops(post_ops);
  return attr;
}

Dims dims_of(const Extents& extents) { return {extents.batch, extents.channels, extents.height, extents.width}; }

Dims weight_dims(const Conv& conv) {
  const auto& window = conv.window;
  if (conv.depthwise) return {conv.input.channels, 1, 1, window.kernel_h, window.kernel_w};
  return {conv.output.channels, conv.input.channels, window.kernel_h, window.kernel_w};
}

struct Descriptors {
  dnnl::memory::desc source, weights, bias, destination;
};

Descriptors describe(const Conv& conv) {
  return {{dims_of(conv.input), Type::s8, Format::nhwc},
          {weight_dims(conv), Type::s8, Format::any},
          {{conv.output.channels}, Type::f32, Format::x},
          {dims_of(conv.output), Type::s8, Format::nhwc}};
}

// The primitive and the layouts it chose; nothing where only the (very slow) reference implementation would do.
struct Chosen {
  dnnl::primitive primitive;
  dnnl::memory::desc weights, scratchpad;
};

template <typename Primitive>
std::optional<Chosen> choose(const Conv& conv, dnnl::algorithm algorithm) {
  const auto& window = conv.window;
  const auto md = describe(conv);
  const typename Primitive::desc desc(dnnl::prop_kind::forward_inference, algorithm, md.source, md.weights, md.bias,
                                      md.destination, {window.stride_h, window.stride_w},
                                      {window.dilation_h - 1, window.dilation_w - 1}, {window.pad_top, window.pad_left},
                                      {window.pad_bottom, window.pad_right});
  const typename Primitive::primitive_desc pd(desc, attributes(conv), cpu(), true);
  if (!pd) return std::nullopt;
  if (std::string(pd.impl_info_str()).find("ref") != std::string::npos) return std::nullopt;
  return Chosen{Primitive(pd), pd.weights_desc(), pd.scratchpad_desc()};
}

// Weights in oneDNN's order of axes: O I H W, or C 1 1 H W; flipped for its transposed convolutions.
std::vector<std::int8_t> arrange_weights(const Conv& conv) {
  const auto& window = conv.window;
  const auto channels = conv.input.channels;
  const auto filters = conv.depthwise ? 1 : conv.output.channels;
  const std::int64_t area = std::int64_t{window.kernel_h} * window.kernel_w;
  std::vector<std::int8_t> arranged(conv.weights->size());
  for (std::int64_t filter = 0; filter < filters; ++filter) {
    for (std::int64_t tap = 0; tap < area; ++tap) {
      const auto target = conv.transposed ? area - 1 - tap : tap;
      for (std::int64_t c = 0; c < channels; ++c) {
        arranged[static_cast<std::size_t>((filter * channels + c) * area + target)] =
            (*conv.weights)[static_cast<std::size_t>((filter * area + tap) * channels + c)];
      }
    }
  }
  return arranged;
}

dnnl::memory pack_weights(const Conv& conv, const dnnl::memory::desc& layout) {
  auto arranged = arrange_weights(conv);
  const dnnl::memory::desc plain(weight_dims(conv), Type::s8, conv.depthwise ? Format::goihw : Format::oihw);
  const dnnl::memory source(plain, cpu(), arranged.data());
  dnnl::memory packed(layout, cpu());
  dnnl::stream stream(cpu());
  dnnl::reorder(source, packed).execute(stream, const_cast<dnnl::memory&>(source), packed);
  stream.wait();
  return packed;
}

dnnl::memory make_bias(const Conv& conv) {
  dnnl::memory bias(describe(conv).bias, cpu());
  auto* values = static_cast<float*>(bias.get_data_handle());
  const float quarter = conv.shift_cut >= 0 ? 0.25F : 0.0F;
  for (std::int64_t channel = 0; channel < conv.output.channels; ++channel) {
    values[channel] = static_cast<float>(conv.doubled_bias(channel)) * 0.5F + quarter;
  }
  return bias;
}

struct ConvState final : KernelState {
  dnnl::stream stream;
  dnnl::memory source, destination, scratchpad;
  std::unordered_map<int, dnnl::memory> arguments;
};

class ConvKernel final : public StepKernel {
 public:
  ConvKernel(const Conv& conv, Chosen chosen)
      : chosen_(std::move(chosen)),
        descriptors_(describe(conv)),
        weights_(pack_weights(conv, chosen_.weights)),
        bias_(make_bias(conv)) {}

  std::size_t scratch_bytes() const override { return chosen_.scratchpad.get_size(); }

  std::unique_ptr<KernelState> make_state() const override {
    auto state = std::make_unique<ConvState>();
    state->stream = dnnl::stream(cpu());
    state->source = dnnl::memory(descriptors_.source, cpu(), nullptr);
    state->destination = dnnl::memory(descriptors_.destination, cpu(), nullptr);
    state->scratchpad = dnnl::memory(chosen_.scratchpad, cpu(), nullptr);
    state->arguments = {{DNNL_ARG_SRC, state->source},
                        {DNNL_ARG_WEIGHTS, weights_},
                        {DNNL_ARG_BIAS, bias_},
                        {DNNL_ARG_DST, state->destination},
                        {DNNL_ARG_SCRATCHPAD, state->scratchpad}};
    return state;
  }

  void run(KernelState* base, const void* const* inputs, void* output, void* scratch) const override {
    auto& state = static_cast<ConvState&>(*base);
    const OneThread one_thread;
    state.source.set_data_handle(const_cast<void*>(inputs[0]));
    state.destination.set_data_handle(output);
    state.scratchpad.set_data_handle(scratch);
    chosen_.primitive.execute(state.stream, state.arguments);
    state.stream.wait();
  }

 private:
  Chosen chosen_;
  Descriptors descriptors_;
  dnnl::memory weights_, bias_;
};

}  // namespace

bool is_exact_here() {
  // The bit that AVX-512 VNNI adds to oneDNN's instruction set numbers.
  constexpr unsigned vnni = 0x40;
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & vnni) != 0;
}

std::unique_ptr<StepKernel> make_conv(const Conv& conv) {
  if (!is_exact_here() || !is_exact(conv)) return nullptr;
  const OneThread one_thread;
  try {
    auto chosen = conv.transposed ? choose<dnnl::deconvolution_forward>(conv, dnnl::algorithm::deconvolution_direct)
                                  : choose<dnnl::convolution_forward>(conv, dnnl::algorithm::convolution_direct);
    return chosen ? std::make_unique<ConvKernel>(conv, std::move(*chosen)) : nullptr;
  } catch (const dnnl::error&) {
    return nullptr;  // a shape that oneDNN refuses to describe
  }
}

}  // namespace nerone::softdpu::onednn
