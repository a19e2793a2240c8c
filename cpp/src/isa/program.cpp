#include "isa/program.hpp"

#include <algorithm>
#include <nerone/error.hpp>
#include <optional>

#include "isa/resolve.hpp"

namespace nerone::isa {

Program make_program(const Machine& machine, Stream stream) {
  Program program{machine, std::move(stream), {}};
  program.operations.reserve(program.stream.size());
  Resolver resolver(machine);
  for (std::size_t index = 0; index < program.stream.size(); ++index) {
    try {
      program.operations.push_back(resolver.next(program.stream[index]));
    } catch (const ModelError& error) {
      throw ModelError(title_of(program.stream, index) + ": " + error.what());
    }
  }
  return program;
}

Transfer::Span Transfer::span(int piece, int channels) const {
  if (!is_masked) return {0, piece_bytes};
  const auto first = std::max(mask_start - piece * byte_step, 0);
  auto last = piece_bytes;
  const auto number = piece - (pieces - masked_last);
  if (number >= 0) {
    const auto rounded = (piece_bytes + channels - 1) / channels * channels;
    last = std::min(last, rounded - mask_end - number * byte_step);
  }
  return {std::min(first, piece_bytes), std::max(last, std::min(first, piece_bytes))};
}

namespace {

void check_transfer(const Transfer& transfer, std::int64_t size, int channels) {
  for (int piece = 0; piece < transfer.pieces; ++piece) {
    if (!transfer.is_masked && piece != 0 && piece != transfer.pieces - 1) continue;  // addresses grow
    const auto span = transfer.span(piece, channels);
    const auto start = transfer.address + std::int64_t{piece} * transfer.byte_step;
    if (span.first == span.last || (start + span.first >= 0 && start + span.last <= size)) continue;
    throw ModelError("it touches bytes " + std::to_string(start + span.first) + " to " +
                     std::to_string(start + span.last) + " of register " + std::to_string(transfer.reg) +
                     ", which has " + std::to_string(size));
  }
}

}  // namespace

void check_registers(const Program& program, const std::map<int, std::size_t>& sizes_bytes) {
  for (std::size_t index = 0; index < program.stream.size(); ++index) {
    const auto* transfer = std::get_if<Transfer>(&program.operations[index]);
    if (transfer == nullptr) continue;
    const auto size = sizes_bytes.find(transfer->reg);
    try {
      check_transfer(*transfer, size == sizes_bytes.end() ? 0 : static_cast<std::int64_t>(size->second),
                     program.machine.channels);
    } catch (const ModelError& error) {
      throw ModelError(title_of(program.stream, index) + ": " + error.what());
    }
  }
}

}  // namespace nerone::isa
