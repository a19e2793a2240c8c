#include <gtest/gtest.h>

#include "isas.hpp"
#include "packed_images.hpp"
#include "random_conv.hpp"
#include "softdpu/jit/global_average.hpp"
#include "softdpu/jit/max_pool.hpp"
#include "softdpu/jit/pack.hpp"
#include "softdpu/jit/product.hpp"
#include "softdpu/jit/resample.hpp"
#include "softdpu/jit/sum.hpp"
#include "softdpu/jit/table.hpp"
#include "softdpu/ops/eltwise.hpp"
#include "softdpu/ops/pool.hpp"

namespace nerone::softdpu::jit {
namespace {

using test::chance;
using test::GuardedBuffer;
using test::PackedImage;
using test::pick;
using test::Random;

class ImageKernels : public test::ForEachIsa {
 protected:
  Extents random_extents() { return {1, pick(random_, 1, 20), pick(random_, 1, 70), pick(random_, 1, 12)}; }
  Pads random_pads() { return {pick(random_, 0, 2), pick(random_, 0, 2), pick(random_, 0, 20)}; }
  std::vector<std::int8_t> random_image(const Extents& extents) {
    return test::random_bytes(random_, static_cast<std::size_t>(extents.element_count()));
  }
  GuardedBuffer::Side side() { return chance(random_, 0.5) ? GuardedBuffer::Side::lower : GuardedBuffer::Side::upper; }

  Random random_{test::seed_of_run()};
  const int cases_ = test::cases_of_run(300);
};

NERONE_FOR_EACH_ISA(ImageKernels);

TEST_P(ImageKernels, MaxPoolEqualsTheReference) {
  for (int i = 0; i < cases_; ++i) {
    Pool pool;
    pool.input = random_extents();
    auto& window = pool.window;
    window.kernel_h = pick(random_, 1, 4);
    window.kernel_w = pick(random_, 1, 4);
    window.stride_h = pick(random_, 1, 3);
    window.stride_w = pick(random_, 1, 3);
    window.pad_top = pick(random_, 0, window.kernel_h - 1);
    window.pad_bottom = pick(random_, 0, window.kernel_h - 1);
    window.pad_left = pick(random_, 0, window.kernel_w - 1);
    window.pad_right = pick(random_, 0, window.kernel_w - 1);
    pool.output = pool.input;
    pool.output.height = window.output_height(pool.input.height);
    pool.output.width = window.output_width(pool.input.width);
    if (pool.output.height < 1 || pool.output.width < 1) continue;
    const auto image = random_image(pool.input);
    std::vector<std::int8_t> expected(static_cast<std::size_t>(pool.output.element_count()));
    run_scalar(pool, image.data(), expected.data());
    PackedImage input(pool.input, random_pads(), side()), output(pool.output, random_pads(), side());
    input.set(image.data());
    max_pool(isa(), input.const_image(), output.image(), window);
    ASSERT_TRUE(output.equals(expected.data()))
        << "kernel " << window.kernel_h << "x" << window.kernel_w << ", stride " << window.stride_h << "x"
        << window.stride_w << ", width " << pool.input.width << ", seed " << test::seed_of_run();
  }
}

TEST_P(ImageKernels, SumEqualsTheReference) {
  for (int i = 0; i < cases_; ++i) {
    const auto extents = random_extents();
    Eltwise eltwise;
    eltwise.output_shape = {1, extents.height, extents.width, extents.channels};
    eltwise.shift = pick(random_, -10, max_sum_shift);
    eltwise.activation.kind = chance(random_, 0.5) ? Activation::Kind::relu : Activation::Kind::none;
    SumRule rule{{}, eltwise.shift, {static_cast<std::uint8_t>(chance(random_, 0.5) ? zero_byte : 0), 255}};
    eltwise.activation.kind = rule.bounds.low != 0 ? Activation::Kind::relu : Activation::Kind::none;
    std::vector<std::vector<std::int8_t>> images;
    std::vector<std::unique_ptr<PackedImage>> packed;
    std::vector<const void*> dense;
    std::vector<ConstImage> inputs;
    const int count = pick(random_, 1, chance(random_, 0.1) ? max_sum_inputs : 3);
    for (int k = 0; k < count; ++k) {
      rule.input_shifts.push_back(pick(random_, 0, 12));
      images.push_back(random_image(extents));
      packed.push_back(std::make_unique<PackedImage>(extents, random_pads(), side()));
      packed.back()->set(images.back().data());
      inputs.push_back(packed.back()->const_image());
      eltwise.input_strides.push_back({0, extents.width * extents.channels, extents.channels, 1});
    }
    for (const auto& image : images) dense.push_back(image.data());
    eltwise.input_shifts = rule.input_shifts;
    std::vector<std::int8_t> expected(images[0].size());
    run_scalar(eltwise, dense.data(), expected.data());
    PackedImage output(extents, random_pads(), side());
    sum(isa(), inputs.data(), rule, output.image());
    ASSERT_TRUE(output.equals(expected.data())) << "shift " << rule.shift << ", seed " << test::seed_of_run();
  }
}

TEST_P(ImageKernels, ProductEqualsTheReference) {
  for (int i = 0; i < cases_; ++i) {
    const auto whole = random_extents();
    const Factor factors[] = {Factor::whole, Factor::vector, Factor::plane};
    ProductRule rule{factors[pick(random_, 0, 2)], pick(random_, -10, max_product_shift), {}};
    if (chance(random_, 0.5)) rule.bounds.low = zero_byte;
    Extents other = whole;
    if (rule.second == Factor::vector) other.height = other.width = 1;
    if (rule.second == Factor::plane) other.channels = 1;
    Eltwise eltwise;
    eltwise.kind = Eltwise::Kind::multiply;
    eltwise.output_shape = {1, whole.height, whole.width, whole.channels};
    eltwise.shift = rule.shift;
    eltwise.activation.kind = rule.bounds.low != 0 ? Activation::Kind::relu : Activation::Kind::none;
    for (const auto& extents : {whole, other}) {
      const std::int64_t pixel = extents.width == whole.width && extents.height == whole.height ? extents.channels : 0;
      eltwise.input_strides.push_back({0, whole.width * pixel, pixel, extents.channels == whole.channels ? 1 : 0});
    }
    const auto first = random_image(whole), second = random_image(other);
    const void* const inputs[] = {first.data(), second.data()};
    std::vector<std::int8_t> expected(first.size());
    run_scalar(eltwise, inputs, expected.data());
    PackedImage a(whole, random_pads(), side()), b(other, random_pads(), side()), output(whole, random_pads(), side());
    a.set(first.data());
    b.set(second.data());
    multiply(isa(), a.const_image(), b.const_image(), rule, output.image());
    ASSERT_TRUE(output.equals(expected.data())) << "shift " << rule.shift << ", seed " << test::seed_of_run();
  }
}

TEST_P(ImageKernels, TableTakesEachByte) {
  for (int i = 0; i < cases_; ++i) {
    ByteTable table;
    for (auto& byte : table.bytes) byte = static_cast<std::uint8_t>(pick(random_, 0, 255));
    const auto extents = random_extents();
    const auto image = random_image(extents);
    std::vector<std::int8_t> expected;
    for (const auto value : image) expected.push_back(value_of(table.bytes[byte_of(value)]));
    PackedImage input(extents, random_pads(), side()), output(extents, random_pads(), side());
    input.set(image.data());
    look_up(isa(), input.const_image(), table, output.image());
    ASSERT_TRUE(output.equals(expected.data())) << "seed " << test::seed_of_run();
  }
}

TEST_P(ImageKernels, GlobalAverageEqualsTheReference) {
  for (int i = 0; i < cases_; ++i) {
    Pool pool;
    pool.kind = Pool::Kind::average;
    pool.input = random_extents();
    // More vectors than the sums of words hold.
    if (chance(random_, 0.05)) pool.input.height = 300;
    pool.window.kernel_h = static_cast<int>(pool.input.height);
    pool.window.kernel_w = static_cast<int>(pool.input.width);
    pool.output = {1, 1, 1, pool.input.channels};
    const auto reciprocal = average_reciprocal(pool.window.kernel_h, pool.window.kernel_w);
    pool.factor = reciprocal.factor;
    pool.shift = reciprocal.shift + pick(random_, -4, 2);
    const auto image = random_image(pool.input);
    std::vector<std::int8_t> expected(static_cast<std::size_t>(pool.output.channels));
    run_scalar(pool, image.data(), expected.data());
    PackedImage input(pool.input, random_pads(), side()), output(pool.output, random_pads(), side());
    input.set(image.data());
    average(isa(), input.const_image(), {pool.factor, pool.shift}, output.image(), {0, output.image().groups});
    ASSERT_TRUE(output.equals(expected.data()))
        << pool.input.height << "x" << pool.input.width << ", seed " << test::seed_of_run();
  }
}

TEST_P(ImageKernels, ResampleTakesTheNamedPixels) {
  for (int i = 0; i < cases_; ++i) {
    const auto extents = random_extents();
    Extents out = extents;
    const int factor = pick(random_, 1, 3);
    out.height *= factor;
    out.width = chance(random_, 0.7) ? extents.width * factor : pick(random_, 1, 90);
    std::vector<int> rows, columns;
    for (int y = 0; y < out.height; ++y) rows.push_back(y / factor);
    for (int x = 0; x < out.width; ++x) {
      columns.push_back(out.width == extents.width * factor ? x / factor
                                                            : pick(random_, 0, static_cast<int>(extents.width) - 1));
    }
    // As a padding has them: before and behind the image.
    for (int pad = chance(random_, 0.5) ? 0 : pick(random_, 0, 2); pad > 0; --pad) {
      rows.insert(chance(random_, 0.5) ? rows.begin() : rows.end(), -1);
      columns.insert(chance(random_, 0.5) ? columns.begin() : columns.end(), -1);
      ++out.height;
      ++out.width;
    }
    const auto fill = static_cast<std::int8_t>(pick(random_, -128, 127));
    const auto image = random_image(extents);
    std::vector<std::int8_t> expected;
    for (const int y : rows) {
      for (const int x : columns) {
        if (y < 0 || x < 0) {
          expected.insert(expected.end(), static_cast<std::size_t>(extents.channels), fill);
          continue;
        }
        const auto from = image.begin() + (y * extents.width + x) * extents.channels;
        expected.insert(expected.end(), from, from + extents.channels);
      }
    }
    PackedImage input(extents, random_pads(), side()), output(out, random_pads(), side());
    input.set(image.data());
    const auto fill_byte = static_cast<std::uint8_t>(static_cast<std::uint8_t>(fill) ^ zero_byte);
    resample(isa(), input.const_image(), rows, columns, output.image(), fill_byte);
    ASSERT_TRUE(output.equals(expected.data())) << "factor " << factor << ", seed " << test::seed_of_run();
  }
}

TEST_P(ImageKernels, PackUnfoldsTheWindow) {
  for (int i = 0; i < cases_; ++i) {
    auto extents = random_extents();
    if (chance(random_, 0.3)) extents.channels = 16 * pick(random_, 1, 3);
    PackRule rule{static_cast<int>(extents.width), static_cast<int>(extents.channels)};
    if (chance(random_, 0.6)) {
      rule.kernel = pick(random_, 1, 5);
      rule.stride = pick(random_, 1, 3);
      rule.pad = pick(random_, 0, rule.kernel - 1);
    }
    const Extents out{1, extents.height, (extents.width + rule.stride - 1) / rule.stride,
                      extents.channels * rule.kernel};
    const auto image = random_image(extents);
    std::vector<std::int8_t> expected;
    for (std::int64_t y = 0; y < out.height; ++y) {
      for (std::int64_t x = 0; x < out.width; ++x) {
        for (int k = 0; k < rule.kernel; ++k) {
          const auto from = x * rule.stride - rule.pad + k;
          for (std::int64_t c = 0; c < extents.channels; ++c) {
            const bool inside = from >= 0 && from < extents.width;
            expected.push_back(
                inside ? image[static_cast<std::size_t>((y * extents.width + from) * extents.channels + c)] : 0);
          }
        }
      }
    }
    GuardedBuffer dense(image.size(), GuardedBuffer::Side::lower);
    auto* const at = reinterpret_cast<std::int8_t*>(dense.data());
    std::copy(image.begin(), image.end(), at);
    PackedImage output(out, random_pads(), side());
    pack(isa(), at, rule, output.image());
    ASSERT_TRUE(output.equals(expected.data()))
        << "kernel " << rule.kernel << ", stride " << rule.stride << ", width " << rule.width << ", channels "
        << rule.channels << ", seed " << test::seed_of_run();
  }
}

TEST_P(ImageKernels, UnpackWritesOnlyItsBytes) {
  for (int i = 0; i < cases_; ++i) {
    auto extents = random_extents();
    const bool whole_groups = chance(random_, 0.5);
    if (whole_groups) extents.channels = group_channels * pick(random_, 1, 10);
    const auto image = random_image(extents);
    std::vector<int> positions(static_cast<std::size_t>(extents.channels));
    for (std::size_t c = 0; c < positions.size(); ++c) positions[c] = static_cast<int>(c);
    if (!whole_groups) std::shuffle(positions.begin(), positions.end(), random_);
    PackedImage input(extents, random_pads(), side());
    input.set(image.data());
    std::vector<std::int8_t> output(image.size() + 64, 99);
    const Unpacker unpack(isa(), positions);
    unpack(input.const_image(), output.data());
    for (std::size_t k = 0; k < image.size(); ++k) {
      const std::size_t channels = positions.size();
      ASSERT_EQ(output[k], image[k / channels * channels + static_cast<std::size_t>(positions[k % channels])])
          << "seed " << test::seed_of_run();
    }
    for (std::size_t k = image.size(); k < output.size(); ++k) ASSERT_EQ(output[k], 99);
  }
}

}  // namespace
}  // namespace nerone::softdpu::jit
