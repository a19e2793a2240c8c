#include <gtest/gtest.h>

#include <nerone/error.hpp>
#include <nerone/model.hpp>

#include "vart/files.hpp"

namespace nerone {
namespace {

using testing::doubling_graph;
using testing::TemporaryModel;

TEST(Model, IsUsableAfterALateJob) {
  const TemporaryModel file(doubling_graph());
  auto model = Model::load(file.path, {MISBEHAVING_RUNNER, "late", 0, 0, true});
  std::vector<std::int8_t> in = {1, 2, 3, 4}, out(4);
  const auto from = TensorView::contiguous(in.data(), DType::int8, {1, 2, 2, 1});
  const auto to = TensorView::contiguous(out.data(), DType::int8, {1, 2, 2, 1});
  EXPECT_THROW(model.run({from}, {to}, 10), TimeoutError);
  model.run({from}, {to}, 10);
  EXPECT_EQ(out, in);
}

TEST(Model, IsUsableAfterAFailedJob) {
  const TemporaryModel file(doubling_graph());
  auto model = Model::load(file.path, {MISBEHAVING_RUNNER, "refuses", 0, 0, true});
  std::vector<std::int8_t> in(4), out(4);
  const auto from = TensorView::contiguous(in.data(), DType::int8, {1, 2, 2, 1});
  const auto to = TensorView::contiguous(out.data(), DType::int8, {1, 2, 2, 1});
  EXPECT_THROW(model.run({from}, {to}), DeviceError);
  EXPECT_THROW(model.run({from}, {to}), DeviceError);
}

TEST(Model, TakesAndGivesFloat) {
  const TemporaryModel file(doubling_graph());
  auto model = Model::load(file.path);
  std::vector<float> in = {0.5F, -0.25F, 100.0F, 0.03125F}, out(4);
  model.run({TensorView::contiguous(in.data(), DType::float32, {1, 2, 2, 1})},
            {TensorView::contiguous(out.data(), DType::float32, {1, 2, 2, 1})});
  EXPECT_EQ(out, (std::vector<float>{1.0F, -0.5F, 127.0F / 16, 0.125F}));
}

}  // namespace
}  // namespace nerone
