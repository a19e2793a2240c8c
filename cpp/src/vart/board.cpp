#include "vart/board.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iomanip>
#include <memory>
#include <nerone/error.hpp>
#include <sstream>

namespace nerone::vart {

namespace {

std::string hex(std::uint64_t value) {
  std::ostringstream text;
  text << "0x" << std::hex << value;
  return text.str();
}

std::string output_of(const char* command) {
  struct Close {
    void operator()(std::FILE* pipe) const { pclose(pipe); }
  };
  const std::unique_ptr<std::FILE, Close> pipe(popen(command, "r"));
  if (!pipe) return {};
  std::string text;
  std::array<char, 4096> block{};
  while (const auto count = std::fread(block.data(), 1, block.size(), pipe.get())) text.append(block.data(), count);
  return text;
}

std::optional<std::uint64_t> read_fingerprint() {
  if (const char* known = std::getenv("NERONE_DPU_FINGERPRINT"); known != nullptr && *known != '\0') {
    return parse_fingerprint("fingerprint: " + std::string(known));
  }
  return parse_fingerprint(output_of("xdputil query 2>/dev/null"));
}

void check_device_node(const BoardProbe& probe) {
  std::string names;
  for (const auto& node : probe.device_nodes) {
    std::error_code ignored;
    if (std::filesystem::exists(node, ignored)) return;
    names += (names.empty() ? "" : " or ") + node.string();
  }
  throw DeviceError("no DPU on this machine: " + names +
                    " is absent; load the DPU overlay and its driver on the board, or use device 'softdpu'");
}

}  // namespace

BoardProbe BoardProbe::of_this_machine() {
  BoardProbe probe;
  probe.fingerprint = read_fingerprint;
  return probe;
}

std::optional<std::uint64_t> parse_fingerprint(const std::string& text) {
  constexpr std::size_t most_digits = 16;
  for (auto word = text.find("fingerprint"); word != std::string::npos; word = text.find("fingerprint", word)) {
    const auto line_end = std::min(text.find('\n', word), text.size());
    for (word = text.find("0x", word); word < line_end; word = text.find("0x", word)) {
      word += 2;
      const auto digits = std::min(text.find_first_not_of("0123456789abcdefABCDEF", word), text.size()) - word;
      if (digits == 0) continue;
      const auto value = std::stoull(text.substr(word, std::min(digits, most_digits)), nullptr, 16);
      return value == 0 ? std::nullopt : std::optional<std::uint64_t>(value);
    }
    word = line_end;
  }
  return std::nullopt;
}

void check_board(const xmodel::Subgraph& subgraph, const BoardProbe& probe) {
  if (subgraph.attrs.count("mc_code") == 0) {
    throw DeviceError("subgraph '" + subgraph.name +
                      "' has no DPU instructions, it was compiled for the software DPU; compile it for the board");
  }
  check_device_node(probe);
  const auto model = xmodel::attr_or<std::uint64_t>(subgraph.attrs, "dpu_fingerprint", 0);
  const auto board = probe.fingerprint();
  if (!board) {
    throw DeviceError(
        "the board's DPU fingerprint cannot be read; install xdputil, or set NERONE_DPU_FINGERPRINT to what the "
        "board's "
        "arch.json says");
  }
  if (*board != model) {
    throw DeviceError("the model was compiled for the DPU with fingerprint " + hex(model) + ", this board has " +
                      hex(*board) + "; compile the model for this board, or load the matching overlay");
  }
}

}  // namespace nerone::vart
