#include <gtest/gtest.h>

#include <cmath>
#include <nerone/error.hpp>
#include <nerone/postprocess.hpp>

namespace nerone::postprocess {
namespace {

TensorInfo described(DType dtype, std::vector<std::int64_t> shape, std::optional<int> fix_point = {}) {
  return {"logits", std::move(shape), dtype, fix_point};
}

TEST(Postprocess, ClassesOfAMap) {
  std::vector<std::int8_t> values = {1, 5, 5, -3, -2, -9};
  std::vector<std::uint8_t> classes(2);
  const Postprocess reduce(Kind::classes, described(DType::int8, {1, 2, 1, 3}));
  EXPECT_EQ(reduce.result().shape, (std::vector<std::int64_t>{1, 2, 1}));
  reduce.run(TensorView::contiguous(values.data(), DType::int8, {1, 2, 1, 3}),
             TensorView::contiguous(classes.data(), DType::uint8, {1, 2, 1}));
  EXPECT_EQ(classes, (std::vector<std::uint8_t>{1, 1}));
}

TEST(Postprocess, ManyClassesAreSixteenBitsWide) {
  std::vector<float> values(1000, 0.5F);
  values[999] = 0.75F;
  std::vector<std::uint16_t> classes(1);
  const Postprocess reduce(Kind::classes, described(DType::float32, {1, 1000}));
  EXPECT_EQ(reduce.result().dtype, DType::uint16);
  reduce.run(TensorView::contiguous(values.data(), DType::float32, {1, 1000}),
             TensorView::contiguous(classes.data(), DType::uint16, {1}));
  EXPECT_EQ(classes[0], 999);
}

TEST(Postprocess, RealValuesAndProbabilities) {
  std::vector<std::int8_t> values = {-128, 0, 4, 127};
  std::vector<float> out(4);
  const auto from = TensorView::contiguous(values.data(), DType::int8, {2, 2});
  const auto to = TensorView::contiguous(out.data(), DType::float32, {2, 2});
  Postprocess(Kind::real, described(DType::int8, {2, 2}, 2)).run(from, to);
  EXPECT_EQ(out, (std::vector<float>{-32, 0, 1, 31.75F}));
  Postprocess(Kind::probabilities, described(DType::int8, {2, 2}, 2)).run(from, to);
  EXPECT_NEAR(out[2], 1 / (1 + std::exp(30.75)), 1e-18);
  EXPECT_FLOAT_EQ(out[0] + out[1], 1);
  std::vector<float> real = {1, 3, -INFINITY, 2};
  Postprocess(Kind::probabilities, described(DType::float32, {2, 2}))
      .run(TensorView::contiguous(real.data(), DType::float32, {2, 2}), to);
  EXPECT_NEAR(out[1], 1 / (1 + std::exp(-2.0)), 1e-6);
  EXPECT_EQ(out[2], 0);
}

TEST(Postprocess, RawKeepsEverything) {
  std::vector<std::int8_t> values = {-128, 0, 4, 127};
  std::vector<std::int8_t> out(4);
  const Postprocess reduce(Kind::raw, described(DType::int8, {4}, 5));
  EXPECT_EQ(reduce.result().fix_point, 5);
  reduce.run(TensorView::contiguous(values.data(), DType::int8, {4}),
             TensorView::contiguous(out.data(), DType::int8, {4}));
  EXPECT_EQ(out, values);
}

TEST(Postprocess, RefusesWhatItCannotReduce) {
  EXPECT_THROW(Postprocess(Kind::classes, described(DType::int32, {1, 4})), DtypeError);
  EXPECT_THROW(Postprocess(Kind::classes, described(DType::int8, {})), ShapeError);
  EXPECT_THROW(Postprocess(Kind::classes, described(DType::int8, {4, 0})), ShapeError);
  EXPECT_THROW(Postprocess(Kind::classes, described(DType::int8, {1, 70000})), ShapeError);
  EXPECT_THROW(Postprocess(Kind::real, described(DType::int8, {4})), ConfigurationError);
  EXPECT_THROW(Postprocess(Kind::probabilities, described(DType::int8, {4}, 40)), ConfigurationError);
  const Postprocess reduce(Kind::classes, described(DType::int8, {2, 3}));
  std::vector<std::int8_t> values(6);
  std::vector<std::uint8_t> classes(2);
  const auto from = TensorView::contiguous(values.data(), DType::int8, {2, 3});
  const auto to = TensorView::contiguous(classes.data(), DType::uint8, {2});
  EXPECT_THROW(reduce.run(to, to), DtypeError);
  EXPECT_THROW(reduce.run(TensorView::contiguous(values.data(), DType::int8, {3, 2}), to), ShapeError);
  EXPECT_THROW(reduce.run(from, from), DtypeError);
  EXPECT_THROW(reduce.run(from, TensorView::contiguous(classes.data(), DType::uint8, {1})), ShapeError);
  reduce.run(from, to);
}

}  // namespace
}  // namespace nerone::postprocess
