#include "vart/port.hpp"

#include <gtest/gtest.h>

#include <nerone/error.hpp>

namespace nerone::vart {
namespace {

Port port(const std::string& name, std::int64_t channels, std::int64_t batch = 1, DType dtype = DType::int8) {
  Port made{{name, {batch, 2, 2, channels}, dtype, 4}, {}};
  for (std::int64_t image = 0; image < batch; ++image) {
    made.images.push_back(TensorView::contiguous(nullptr, dtype, {1, 2, 2, channels}));
  }
  return made;
}

TensorInfo tensor(const std::string& name, std::int64_t channels) {
  return {name, {1, 2, 2, channels}, DType::int8, 4};
}

TEST(Port, IsFoundByItsName) {
  const std::vector<Port> ports{port("out_1", 3), port("out", 3)};
  EXPECT_EQ(&find_port(ports, tensor("out", 3), 2, "dpu"), &ports[1]);
  EXPECT_EQ(&find_port(ports, tensor("out_1", 3), 2, "dpu"), &ports[0]);
}

TEST(Port, MayHaveALongerOrAShorterName) {
  const std::vector<Port> longer{port("model/one_fix", 3), port("model/two_fix", 3)};
  EXPECT_EQ(&find_port(longer, tensor("two", 3), 2, "dpu"), &longer[1]);
  const std::vector<Port> shorter{port("one", 3), port("two", 3)};
  EXPECT_EQ(&find_port(shorter, tensor("model/two_fix", 3), 2, "dpu"), &shorter[1]);
}

TEST(Port, IsTheOnlyOneOfTheOnlyTensor) {
  const std::vector<Port> ports{port("quite another", 3)};
  EXPECT_EQ(&find_port(ports, tensor("x", 3), 1, "dpu"), &ports[0]);
  EXPECT_THROW(find_port(ports, tensor("x", 3), 2, "dpu"), ModelError);
}

TEST(Port, HasTheSizeOfOneImage) {
  const std::vector<Port> batch{port("x", 3, 4)};
  EXPECT_EQ(&find_port(batch, tensor("x", 3), 1, "dpu"), &batch[0]);
  EXPECT_THROW(find_port(batch, tensor("x", 4), 1, "dpu"), ModelError);
  EXPECT_THROW(find_port({port("x", 3, 1, DType::float32)}, tensor("x", 3), 1, "dpu"), ModelError);
  EXPECT_THROW(find_port({}, tensor("x", 3), 1, "dpu"), ModelError);
}

}  // namespace
}  // namespace nerone::vart
