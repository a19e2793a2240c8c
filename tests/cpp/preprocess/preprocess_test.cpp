#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nerone/error.hpp>

#include "images.hpp"

namespace nerone::preprocess::testing {
namespace {

std::vector<std::int8_t> run(const Steps& steps, const Image& image, int fix_point = 6) {
  Preprocess preprocess(steps);
  const Shape shape = preprocess.output_shape(image);
  std::vector<std::int8_t> out(static_cast<std::size_t>(shape.height) * static_cast<std::size_t>(shape.width) *
                               static_cast<std::size_t>(shape.channels));
  preprocess.run(image, fix_point,
                 TensorView::contiguous(out.data(), DType::int8, {shape.height, shape.width, shape.channels}));
  return out;
}

std::uint64_t digest(const std::vector<std::int8_t>& values) {
  std::uint64_t hash = 14695981039346656037U;
  for (const std::int8_t v : values) hash = (hash ^ static_cast<std::uint8_t>(v)) * 1099511628211U;
  return hash;
}

// Taken on x86-64; every machine must give these bits.
TEST(Preprocess, TheTasksGiveTheSameBitsEverywhere) {
  struct Case {
    Steps steps;
    std::vector<std::int64_t> shape;
    std::uint64_t expected;
  };
  for (const Case& c :
       {Case{ct_org(), {300, 320, 1}, 10984651356690902356U}, Case{brats(), {155, 240, 4}, 11918455564165643512U},
        Case{prostate(), {200, 210, 1}, 10803711581386345768U}, Case{bccd(), {240, 320, 3}, 11987524014214919707U},
        Case{z_scored(), {31, 43, 4}, 14357339555529795788U}}) {
    auto values = pixels(static_cast<std::size_t>(c.shape[0] * c.shape[1] * c.shape[2]));
    Image image = image_of(values, c.shape);
    image.spacing_mm = Spacing{0.9, 0.8};
    EXPECT_EQ(digest(run(c.steps, image)), c.expected);
  }
}

TEST(Preprocess, WindowAndFixPoint) {
  std::vector<std::int16_t> values = {-3000, -500, 250, 1000, 3000, 256};
  EXPECT_EQ(run({Window{-500, 1000, {-1, 1}}}, image_of(values, {2, 3})),
            (std::vector<std::int8_t>{-64, -64, 0, 64, 64, 1}));
  EXPECT_EQ(run({}, image_of(values, {1, 6}), -5), (std::vector<std::int8_t>{-94, -16, 8, 31, 94, 8}));
}

TEST(Preprocess, SeveralKindsOfImagesThroughOneObject) {
  Preprocess preprocess({Resize{4, 4, Method::area}, Window{0, 300, {0, 1}}});
  for (int round = 0; round < 2; ++round) {
    for (int side = 1; side <= 12; ++side) {
      auto values = pixels(static_cast<std::size_t>(side * side));
      const Image image = image_of(values, {side, side});
      std::vector<std::int8_t> out(16);
      preprocess.run(image, 6, TensorView::contiguous(out.data(), DType::int8, {4, 4, 1}));
      EXPECT_EQ(out, run(preprocess.steps(), image)) << side;
    }
  }
}

TEST(Preprocess, CopiesWorkOnTheirOwn) {
  auto values = pixels(64);
  const Image image = image_of(values, {8, 8});
  Preprocess first({ZScore{}});
  Preprocess second(first);
  std::vector<std::int8_t> a(64);
  std::vector<std::int8_t> b(64);
  first.run(image, 4, TensorView::contiguous(a.data(), DType::int8, {8, 8, 1}));
  first = Preprocess({Clip{}});
  second.run(image, 4, TensorView::contiguous(b.data(), DType::int8, {8, 8, 1}));
  EXPECT_EQ(a, b);
}

TEST(Preprocess, RefusesStepsThatCannotWork) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Step& step : std::vector<Step>{Channels{0, {}},
                                            Channels{3, {3}},
                                            Channels{3, {-1}},
                                            Channels{65, {}},
                                            Grey{{nan, 0, 0}},
                                            Grey{{11, 0, 0}},
                                            Clip{2.0, 1.0},
                                            Clip{nan, {}},
                                            Resample{0.0, Method::cubic},
                                            Resample{nan, Method::cubic},
                                            Resize{0, 4, Method::area},
                                            Resize{4, 20000, Method::area},
                                            CropOrPad{4, -1, 0},
                                            CropOrPad{4, 4, nan},
                                            Window{3, 3, {0, 1}},
                                            Window{0, 1, {1, 0}},
                                            Window{nan, 1, {0, 1}},
                                            Percentile{-1.0, 99, {0, 1}, Scope::slice, false},
                                            Percentile{99.0, 1, {0, 1}, Scope::slice, false},
                                            ScaleOffset{{}, {0}},
                                            ScaleOffset{{1, 2}, {1, 2, 3}},
                                            ScaleOffset{{1e7}, {0}}}) {
    EXPECT_THROW(Preprocess({step}), ConfigurationError) << "step of kind " << step.index();
  }
  EXPECT_THROW(Preprocess({Resize{4, 4, Method::area}, ZScore{Scope::volume, false}}), ConfigurationError);
}

TEST(Preprocess, RefusesImagesAndDestinationsThatDoNotFit) {
  auto values = pixels(24);
  std::vector<std::int8_t> out(24);
  Preprocess preprocess({Channels{1, {}}, Window{0, 1, {0, 1}}});
  const auto to = [&](std::vector<std::int64_t> shape) {
    return TensorView::contiguous(out.data(), DType::int8, std::move(shape));
  };
  EXPECT_THROW(preprocess.run(Image{}, 6, to({4, 6, 1})), ShapeError);
  EXPECT_THROW(preprocess.run(image_of(values, {4, 3, 2}), 6, to({4, 3, 2})), ShapeError);
  EXPECT_THROW(preprocess.run(image_of(values, {0, 6}), 6, to({0, 6, 1})), ShapeError);
  EXPECT_THROW(preprocess.run(image_of(values, {24}), 6, to({24})), ShapeError);
  EXPECT_THROW(preprocess.run(image_of(values, {4, 6}), 6, to({4, 6})), ShapeError);
  EXPECT_THROW(preprocess.run(image_of(values, {4, 6}), 6, to({2, 4, 6, 1})), ShapeError);
  EXPECT_THROW(preprocess.run(image_of(values, {4, 6}), 32, to({4, 6, 1})), ConfigurationError);
  auto bytes = to({4, 6, 1});
  bytes.dtype = DType::uint8;
  EXPECT_THROW(preprocess.run(image_of(values, {4, 6}), 6, bytes), DtypeError);
  auto wide = image_of(values, {4, 6});
  wide.views[0].dtype = DType::int64;
  EXPECT_THROW(preprocess.run(wide, 6, to({4, 6, 1})), DtypeError);
  auto spaced = image_of(values, {4, 6});
  spaced.spacing_mm = Spacing{1.0, std::nan("")};
  EXPECT_THROW(preprocess.run(spaced, 6, to({4, 6, 1})), ConfigurationError);
  preprocess.run(image_of(values, {4, 6}), 6, to({1, 4, 6, 1}));
}

TEST(Preprocess, StatisticsHaveToGoWithTheSteps) {
  auto values = pixels(24);
  std::vector<std::int8_t> out(24);
  Preprocess preprocess({ZScore{Scope::volume, false}});
  Image image = image_of(values, {4, 6});
  const auto to = TensorView::contiguous(out.data(), DType::int8, {4, 6, 1});
  for (const Statistics& bad : {Statistics{}, Statistics{{}}, Statistics{{{0, 1}, {0, 1}}},
                                Statistics{{{0, 1}}, {{0, 1}}}, Statistics{{{std::nan(""), 1}}}}) {
    image.statistics = &bad;
    EXPECT_THROW(preprocess.run(image, 6, to), ConfigurationError);
  }
  const Statistics good = volume_statistics(preprocess.steps(), {image_of(values, {4, 6})});
  image.statistics = &good;
  preprocess.run(image, 6, to);
  EXPECT_EQ(out, run({ZScore{}}, image_of(values, {4, 6})));
  EXPECT_THROW(volume_statistics(preprocess.steps(), {}), ShapeError);
}

}  // namespace
}  // namespace nerone::preprocess::testing
