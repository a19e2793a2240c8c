#include "softdpu/jit/upsampled_conv.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "softdpu/jit/byte_chains.hpp"

namespace nerone::softdpu::jit {
namespace {

constexpr int kernel = 3;
constexpr int planes = kernel * kernel, centre = planes / 2;

// Some output channels; the same weights, [Co, 3, 3, Ci], as nine times as many channels of a 1x1 convolution:
// [9 Co, 1, 1, Ci].
Conv planes_of(const Conv& conv, const Image& small, int first, int channels) {
  Conv result = conv;
  const auto size = static_cast<std::ptrdiff_t>(planes * conv.input.channels);
  const auto begin = conv.weights->begin() + first * size;
  result.weights = std::make_shared<std::vector<std::int8_t>>(begin, begin + channels * size);
  result.window = Window{};
  result.input.height = result.output.height = small.height;
  result.input.width = result.output.width = small.width;
  result.output.channels = planes * channels;
  return result;
}

int largest_divisor(int value, int most) {
  int divisor = std::clamp(most, 1, value);
  while (value % divisor != 0) --divisor;
  return divisor;
}

std::int64_t count_of(const ChannelMap& channels) {
  return std::count_if(channels.begin(), channels.end(), [](int channel) { return channel >= 0; });
}

// The planes of a row stay in the first-level cache.
int block_of(const Conv& conv) {
  constexpr int cached_bytes = 20 << 10;
  const auto channels = static_cast<int>(conv.output.channels);
  const auto row_bytes =
      static_cast<int>(PlaneSummer(Isa::avx512_vnni, 1, static_cast<int>(conv.input.width / 2)).planes_bytes());
  return largest_divisor(channels, cached_bytes / row_bytes);
}

// So many rows that the sums of their large rows, and of as many next ones, stay in the second-level cache.
int band_of(const Conv& conv) {
  constexpr std::int64_t cached_bytes = 384 << 10;
  constexpr int most_rows = 5;
  const PlaneSummer summer(Isa::avx512_vnni, static_cast<int>(conv.output.channels),
                           static_cast<int>(conv.input.width / 2));
  const auto rows = cached_bytes / static_cast<std::int64_t>(4 * summer.row_bytes());
  return largest_divisor(static_cast<int>(conv.input.height / 2),
                         static_cast<int>(std::min<std::int64_t>(rows, most_rows)));
}

}  // namespace

bool can_read_upsampled(const Conv& conv) {
  const auto& window = conv.window;
  const bool is_plain = !conv.depthwise && !conv.transposed && conv.input.batch == 1;
  const bool is_3x3 = window.kernel_h == kernel && window.kernel_w == kernel && window.pad_top == 1 &&
                      window.pad_left == 1 && window.stride_h == 1 && window.stride_w == 1 && window.dilation_h == 1 &&
                      window.dilation_w == 1;
  const bool keeps_size = conv.output.height == conv.input.height && conv.output.width == conv.input.width;
  if (!is_plain || !is_3x3 || !keeps_size || conv.input.height % 2 != 0 || conv.input.width % 2 != 0) return false;
  const auto requantization = requantization_of(conv);
  return requantization && requantization->rule.kind == Requantize::Kind::right;
}

// In units of one dot-product instruction per output channel and 16 small pixels, measured.
bool is_faster_upsampled(Isa isa, const Conv& conv, int groups) {
  // Products of words take twice as long beside the additions, which are the same.
  const double summing = isa == Isa::avx2 ? 25 : 50;
  const auto width = static_cast<int>(conv.input.width);
  const double large_vectors = 2.0 * divide_up(width, lanes), small_vectors = divide_up(width / 2, lanes);
  return small_vectors * (planes * groups + summing) < large_vectors * planes * groups;
}

UpsampledConv::UpsampledConv(const Conv& conv, const Images& images, const Channels& channels, Isa isa)
    : UpsampledConv(isa, conv, images, channels, *requantization_of(conv)) {}

UpsampledConv::UpsampledConv(Isa isa, const Conv& conv, const Images& images, const Channels& channels,
                             const Requantization& requantization)
    : isa_(isa),
      outputs_(conv.output.channels),
      small_channels_(count_of(channels.small)),
      large_channels_(count_of(channels.large)),
      images_(images),
      band_rows_(band_of(conv)),
      block_channels_(block_of(conv)),
      blocks_(static_cast<int>(conv.output.channels) / block_channels_),
      summer_(isa, block_channels_, images.small.width),
      plane_part_(plane_part(conv, channels)),
      part_(finishing_part(conv, requantization.rule, channels)),
      weights_(pack_weights(conv, part_.shape, part_.tile, channels.large, requantization)),
      multiply_(plane_part_.shape, plane_part_.tile),
      finish_(part_.shape, part_.tile) {
  for (int block = 0; block < blocks_; ++block) {
    const int first = block * block_channels_;
    // Every output pixel reads the plane of the kernel's centre once: the bias goes there.
    Requantization bias{requantization.rule, std::vector<std::int32_t>(block_channels_ * planes, 0), {}};
    for (int channel = 0; channel < block_channels_; ++channel) {
      bias.bias[static_cast<std::size_t>(channel * planes + centre)] =
          weights_.bias[static_cast<std::size_t>(first + channel)];
    }
    plane_weights_.push_back(pack_weights(planes_of(conv, images.small, first, block_channels_), plane_part_.shape,
                                          plane_part_.tile, channels.small, bias));
  }
}

UpsampledConv::Part UpsampledConv::plane_part(const Conv& conv, const Channels& channels) const {
  ConvShape shape;
  shape.isa = isa_;
  shape.grid = (*grids_of(planes_of(conv, images_.small, 0, block_channels_)))[0];
  shape.grid.height = 1;
  // The summer reads whole vectors, whatever a register holds.
  if (isa_ != Isa::avx512_vnni) shape.grid.width = shape.grid.out_width = round_up(shape.grid.width, lanes);
  shape.grid.fold = 1;
  shape.grid.fills_gap = false;
  shape.input_groups = images_.small.groups;
  shape.channels = planes * block_channels_;
  shape.input = {images_.small.row_bytes, images_.small.group_bytes};
  shape.output = {0, group_channels * summer_.plane_stride()};
  shape.stores_sums = true;
  // One code for the weights of all blocks.
  const auto planes_of_all = planes_of(conv, images_.small, 0, static_cast<int>(conv.output.channels));
  shape = with_fastest_products(planes_of_all, shape, channels.small, channels.small_never_negative);
  return {shape, choose_tile(shape)};
}

UpsampledConv::Part UpsampledConv::finishing_part(const Conv& conv, const Requantize& rule,
                                                  const Channels& channels) const {
  ConvShape shape;
  shape.isa = isa_;
  shape.grid = (*grids_of(conv))[0];
  shape.grid.height = 2 * band_rows_;
  shape.grid.fold = 1;
  shape.input_groups = images_.large.groups;
  shape.channels = static_cast<int>(conv.output.channels);
  shape.input = {images_.large.row_bytes, images_.large.group_bytes};
  shape.output = {images_.output.row_bytes, images_.output.group_bytes};
  shape.requantize = rule;
  shape.first_sums = Strides{static_cast<std::ptrdiff_t>(row_bytes()), group_channels * summer_.sums_stride()};
  shape = with_fastest_products(conv, shape, channels.large, channels.large_never_negative);
  return {shape, choose_tile(shape)};
}

std::size_t UpsampledConv::scratch_bytes() const {
  return summer_.planes_bytes() + static_cast<std::size_t>(blocks_) * summer_.carried_bytes() +
         2 * static_cast<std::size_t>(2 * band_rows_) * row_bytes();
}

std::size_t UpsampledConv::weight_bytes() const {
  std::size_t bytes = weights_.weights.size();
  for (const auto& block : plane_weights_) bytes += block.weights.size();
  return bytes;
}

std::int64_t UpsampledConv::macs() const {
  const std::int64_t small_pixels = std::int64_t{images_.small.height} * images_.small.width;
  return small_pixels * planes * outputs_ * (small_channels_ + 4 * large_channels_);
}

std::string UpsampledConv::name() const {
  const auto size = [](const ConvTile& tile) {
    return std::to_string(tile.channels) + "x" + std::to_string(tile.rows) + "x" + std::to_string(tile.blocks);
  };
  return std::string(products_of(isa_)) + " small " + size(plane_part_.tile) + " large " + size(part_.tile);
}

void UpsampledConv::operator()(const std::uint8_t* small, const std::uint8_t* large, std::uint8_t* output,
                               std::uint8_t* scratch, const Share& share) const {
  const auto bands = share.of(images_.small.height / band_rows_);
  if (bands.size() == 0) return;
  const int first_row = bands.begin * band_rows_, end_row = bands.end * band_rows_, height = images_.small.height;
  std::uint8_t* const plane_rows = scratch;
  std::uint8_t* const carried = plane_rows + summer_.planes_bytes();
  const std::size_t row_bytes = this->row_bytes();
  const auto band_bytes = static_cast<std::size_t>(2 * band_rows_) * row_bytes;
  std::uint8_t* band = carried + static_cast<std::size_t>(blocks_) * summer_.carried_bytes();
  std::uint8_t* next_band = band + band_bytes;
  const auto finish = [&](int row) {
    const std::ptrdiff_t first = 2 * (row - band_rows_);
    finish_({large + first * images_.large.row_bytes, output + first * images_.output.row_bytes,
             weights_.weights.data(), reinterpret_cast<const std::int32_t*>(band), nullptr});
  };
  summer_.begin(plane_rows);
  std::memset(carried, 0, static_cast<std::size_t>(blocks_) * summer_.carried_bytes());
  // The row before the first one leaves what that one needs; the row behind the last one finishes a large row.
  for (int row = std::max(first_row - 1, 0); row < std::min(end_row + 1, height); ++row) {
    // The first row of a band finishes the last large row of the band before.
    const int in_band = row % band_rows_;
    const bool begins = in_band == 0 && row > first_row, is_before = row < first_row;
    std::uint8_t* const even =
        (begins || is_before ? next_band : band) + static_cast<std::size_t>(2 * in_band) * row_bytes;
    std::uint8_t* const odd = begins ? band + band_bytes - row_bytes : even - row_bytes;
    for (int block = 0; block < blocks_; ++block) {
      const auto& weights = plane_weights_[static_cast<std::size_t>(block)];
      multiply_({small + row * images_.small.row_bytes, plane_rows + vector_bytes, weights.weights.data(),
                 weights.bias.data(), nullptr});
      const auto offset = block * block_channels_ * summer_.sums_stride();
      summer_.add_row(plane_rows, carried + block * summer_.carried_bytes(), row > first_row ? odd + offset : nullptr,
                      even + offset);
    }
    if (!begins) continue;
    finish(row);
    std::swap(band, next_band);
  }
  if (end_row < height) return;
  for (int block = 0; block < blocks_; ++block) {
    summer_.finish(carried + block * summer_.carried_bytes(),
                   band + band_bytes - row_bytes + block * block_channels_ * summer_.sums_stride());
  }
  finish(height);
}

}  // namespace nerone::softdpu::jit
