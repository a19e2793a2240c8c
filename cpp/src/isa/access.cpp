#include "isa/access.hpp"

namespace nerone::isa {

namespace {

// Columns of one line, together where they follow each other.
void visit_line(AccessSink& sink, RowAddress start, int first_column, int last_column, int step, int groups,
                bool is_write) {
  if (first_column > last_column) return;
  const auto columns = last_column - first_column + 1;
  start.row += first_column * step;
  if (step == groups) {
    sink.rows(start, columns * groups, is_write);
    return;
  }
  for (int column = 0; column < columns; ++column, start.row += step) sink.rows(start, groups, is_write);
}

bool falls_into_kernel(int position, int kernel, int stride, int last) {
  return position % stride < kernel || position > last;
}

void visit(const Window& window, const Machine& machine, AccessSink& sink) {
  const auto last = (window.lines - window.kernel_h) / window.stride_h * window.stride_h;
  for (int line = window.first_line; line <= window.last_line; ++line) {
    if (!falls_into_kernel(line, window.kernel_h, window.stride_h, last)) continue;
    const auto start = window.line(line, machine);
    if (window.stride_w <= window.kernel_w) {
      visit_line(sink, start, window.first_column, window.last_column, window.column_step, window.groups, false);
      continue;
    }
    const auto last_start = window.columns - window.kernel_w;
    for (int column = window.first_column; column <= window.last_column; ++column) {
      if (!falls_into_kernel(column, window.kernel_w, window.stride_w, last_start)) continue;
      visit_line(sink, start, column, column, window.column_step, window.groups, false);
    }
  }
}

void visit(const Tile& tile, const Machine& machine, AccessSink& sink) {
  for (int line = 0; line < tile.lines; ++line) {
    visit_line(sink, tile.line(line, machine), 0, tile.columns - 1, tile.column_step, tile.groups, true);
  }
}

void visit(const Transfer& transfer, const Machine& machine, AccessSink& sink) {
  const auto rows = (transfer.piece_bytes + machine.channels - 1) / machine.channels;
  if (!transfer.is_load) {
    visit_line(sink, {transfer.bank, transfer.row}, 0, transfer.pieces - 1, transfer.row_step, rows, false);
  }
  if (!transfer.is_masked && transfer.byte_step == transfer.piece_bytes) {
    sink.ddr(transfer.reg, transfer.address, std::int64_t{transfer.pieces} * transfer.piece_bytes, !transfer.is_load);
  } else {
    for (int piece = 0; piece < transfer.pieces; ++piece) {
      const auto span = transfer.span(piece, machine.channels);
      if (span.first == span.last) continue;
      sink.ddr(transfer.reg, transfer.address + std::int64_t{piece} * transfer.byte_step + span.first,
               span.last - span.first, !transfer.is_load);
    }
  }
  if (transfer.is_load) {
    visit_line(sink, {transfer.bank, transfer.row}, 0, transfer.pieces - 1, transfer.row_step, rows, true);
  }
}

void visit(const Convolution& op, const Machine& machine, AccessSink& sink) {
  visit(op.window, machine, sink);
  const auto rows = op.window.kernel_h * op.window.kernel_w * op.window.groups;
  for (int o = 0; o < machine.channels; ++o) sink.rows({machine.weight_bank(o), op.weight_row}, rows, false);
  sink.rows({machine.bias_bank(), op.bias_row}, 1, false);
  visit(op.tile, machine, sink);
}

void visit(const Depthwise& op, const Machine& machine, AccessSink& sink) {
  visit(op.window, machine, sink);
  const auto taps = op.window.kernel_h * op.window.kernel_w;
  for (int tap = 0; tap < taps; ++tap) {
    sink.rows({machine.depthwise_bank(), op.weight_row + tap * op.tap_rows}, op.window.groups, false);
  }
  if (op.has_bias) sink.rows({machine.bias_bank(), op.bias_row}, op.window.groups, false);
  visit(op.tile, machine, sink);
}

void visit(const Pooling& op, const Machine& machine, AccessSink& sink) {
  visit(op.window, machine, sink);
  visit(op.tile, machine, sink);
}

void visit(const HardSigmoid& op, const Machine& machine, AccessSink& sink) {
  visit(op.window, machine, sink);
  visit(op.tile, machine, sink);
}

void visit(const Elementwise& op, const Machine& machine, AccessSink& sink) {
  for (const auto& input : op.inputs) {
    for (int line = 0; line < op.tile.lines; ++line) {
      visit_line(sink, input.line(line, machine), 0, op.tile.columns - 1, input.column_step, op.tile.groups, false);
    }
  }
  visit(op.tile, machine, sink);
}

void visit(std::monostate, const Machine&, AccessSink&) {}

}  // namespace

void visit_accesses(const Operation& operation, const Machine& machine, AccessSink& sink) {
  std::visit([&](const auto& op) { visit(op, machine, sink); }, operation);
}

}  // namespace nerone::isa
