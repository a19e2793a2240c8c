#include <algorithm>
#include <cstring>

#include "isa/execute.hpp"

namespace nerone::isa {

namespace {

// Bytes of consecutive rows, which turn round at the bank's end.
template <typename Copy>
void over_rows(Memory& memory, RowAddress at, int bytes, Copy copy) {
  for (int done = 0; done < bytes;) {
    const auto count = std::min(bytes - done, Memory::rows_left(at.row) * memory.channels());
    copy(memory.row(at), done, count);
    at.row += Memory::rows_left(at.row);
    done += count;
  }
}

}  // namespace

void load(const Transfer& transfer, const Machine& machine, Memory& memory) {
  const auto channels = machine.channels;
  const auto rounded = (transfer.piece_bytes + channels - 1) / channels * channels;
  const auto* source = memory.registers[transfer.reg];
  for (int piece = 0; piece < transfer.pieces; ++piece) {
    const auto span = transfer.span(piece, channels);
    const auto from = transfer.address + std::int64_t{piece} * transfer.byte_step;
    over_rows(memory, {transfer.bank, transfer.row + piece * transfer.row_step}, rounded,
              [&](std::int8_t* to, int done, int count) {
                const auto first = std::clamp(span.first - done, 0, count),
                           last = std::clamp(span.last - done, 0, count);
                std::memset(to, 0, static_cast<std::size_t>(first));
                if (last > first)
                  std::memcpy(to + first, source + from + done + first, static_cast<std::size_t>(last - first));
                std::memset(to + std::max(last, first), 0, static_cast<std::size_t>(count - std::max(last, first)));
              });
  }
  if (transfer.bank >= machine.image_banks()) ++memory.weights_version;
}

void save(const Transfer& transfer, Memory& memory) {
  auto* target = memory.registers[transfer.reg];
  for (int piece = 0; piece < transfer.pieces; ++piece) {
    const auto to = transfer.address + std::int64_t{piece} * transfer.byte_step;
    over_rows(memory, {transfer.bank, transfer.row + piece * transfer.row_step}, transfer.piece_bytes,
              [&](const std::int8_t* from, int done, int count) {
                std::memcpy(target + to + done, from, static_cast<std::size_t>(count));
              });
  }
}

}  // namespace nerone::isa
