#include "vart/board.hpp"

#include <gtest/gtest.h>

#include <nerone/error.hpp>

namespace nerone::vart {
namespace {

xmodel::Subgraph compiled_for(std::uint64_t fingerprint) {
  return {"dpu", {{"mc_code", xmodel::Bytes{1, 2}}, {"dpu_fingerprint", fingerprint}}, {}, {}};
}

BoardProbe board_with(std::optional<std::uint64_t> fingerprint) {
  return {{"/nonexistent", "/dev/null"}, [fingerprint] { return fingerprint; }};
}

std::string refusal(const xmodel::Subgraph& subgraph, const BoardProbe& probe) {
  try {
    check_board(subgraph, probe);
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "";
}

TEST(Board, AcceptsAModelOfItsFingerprint) {
  EXPECT_EQ(refusal(compiled_for(0x1000020f6014407), board_with(0x1000020f6014407)), "");
}

TEST(Board, NamesBothFingerprints) {
  const auto text = refusal(compiled_for(0x1000020f6014407), board_with(0x101000056010407));
  EXPECT_NE(text.find("0x1000020f6014407"), std::string::npos);
  EXPECT_NE(text.find("0x101000056010407"), std::string::npos);
}

TEST(Board, NeedsADeviceNode) {
  auto probe = board_with(1);
  probe.device_nodes = {"/nonexistent/renderD128"};
  EXPECT_NE(refusal(compiled_for(1), probe).find("/nonexistent/renderD128"), std::string::npos);
}

TEST(Board, NeedsAReadableFingerprint) {
  EXPECT_NE(refusal(compiled_for(1), board_with(std::nullopt)).find("NERONE_DPU_FINGERPRINT"), std::string::npos);
}

TEST(Board, RefusesAModelForTheSoftwareDpu) {
  EXPECT_NE(refusal({"dpu", {}, {}, {}}, board_with(1)).find("software DPU"), std::string::npos);
}

TEST(Board, ReadsTheFingerprintFromWhatTheToolPrints) {
  const std::string text =
      "{\n  \"kernels\":[\n {\"DPU Arch\":\"DPUCZDX8G_ISA1_B4096\",\n"
      "  \"fingerprint\":\"0x101000056010407\",\n  \"name\":\"DPU Core 0\"}]}";
  EXPECT_EQ(parse_fingerprint(text), 0x101000056010407U);
  EXPECT_EQ(parse_fingerprint("no such thing 0x12"), std::nullopt);
  EXPECT_EQ(parse_fingerprint("\"fingerprint\": none\n 0x12"), std::nullopt);
  EXPECT_EQ(parse_fingerprint("fingerprint of DPU: 0x1F"), 0x1FU);
  EXPECT_EQ(parse_fingerprint("fingerprint: 0X1F"), std::nullopt);
  EXPECT_EQ(parse_fingerprint("fingerprint: 0x0"), std::nullopt);
  EXPECT_EQ(parse_fingerprint("fingerprint: 0xyz"), std::nullopt);
  EXPECT_EQ(parse_fingerprint("\"fingerprint\": none\n fingerprint 0x12"), 0x12U);
  EXPECT_EQ(parse_fingerprint("fingerprint: 0x101000056010407FFFF"), 0x101000056010407FU);
  EXPECT_EQ(parse_fingerprint(""), std::nullopt);
}

}  // namespace
}  // namespace nerone::vart
