#include "xmodel/data_type.hpp"

#include <gtest/gtest.h>

#include <nerone/error.hpp>

#include "xmodel/tensor_info.hpp"

namespace nerone::xmodel {
namespace {

TEST(DataType, HasADTypeWhereNumpyHasOne) {
  const auto dtype_of = [](const char* name) { return DataType::from_name(name).value().dtype(); };
  for (const auto* name : {"INT8", "XINT8", "xint8"}) EXPECT_EQ(dtype_of(name), DType::int8) << name;
  for (const auto* name : {"UINT8", "XUINT8"}) EXPECT_EQ(dtype_of(name), DType::uint8) << name;
  for (const auto* name : {"INT16", "XINT16"}) EXPECT_EQ(dtype_of(name), DType::int16) << name;
  for (const auto* name : {"UINT16", "XUINT16"}) EXPECT_EQ(dtype_of(name), DType::uint16) << name;
  for (const auto* name : {"INT32", "XINT32"}) EXPECT_EQ(dtype_of(name), DType::int32) << name;
  for (const auto* name : {"INT64", "XINT64"}) EXPECT_EQ(dtype_of(name), DType::int64) << name;
  EXPECT_EQ(dtype_of("FLOAT32"), DType::float32);
  for (const auto* name : {"FLOAT16", "FLOAT64", "UINT32", "XUINT64", "XINT4"}) {
    EXPECT_EQ(dtype_of(name), std::nullopt) << name;
  }
}

TEST(TensorInfo, SaysWhatTheFileSays) {
  Tensor tensor;
  tensor.name = "x";
  tensor.shape = {1, 2, 3, 4};
  tensor.data_type = "XINT8";
  tensor.attrs["fix_point"] = std::int32_t{5};
  const auto info = info_of(tensor);
  EXPECT_EQ(info.name, "x");
  EXPECT_EQ(info.shape, (std::vector<std::int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(info.dtype, DType::int8);
  EXPECT_EQ(info.fix_point, 5);
}

TEST(TensorInfo, RefusesWhatNoBufferCanHold) {
  Tensor tensor{"x", {1, 2}, "FLOAT16", {}};
  EXPECT_THROW(info_of(tensor), ModelError);
  tensor.data_type = "COLOUR8";
  EXPECT_THROW(info_of(tensor), ModelError);
  tensor = {"x", {1, 0}, "XINT8", {}};
  EXPECT_THROW(info_of(tensor), ModelError);
}

}  // namespace
}  // namespace nerone::xmodel
