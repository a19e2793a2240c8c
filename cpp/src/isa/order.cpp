#include "isa/order.hpp"

#include <algorithm>
#include <array>
#include <deque>

#include "isa/access.hpp"

namespace nerone::isa {

namespace {

constexpr int unit_count = 4;
constexpr const char* unit_names[unit_count] = {"LOAD", "SAVE", "CONV", "MISC"};

int index_of(Unit unit) {
  switch (unit) {
    case Unit::load:
      return 0;
    case Unit::save:
      return 1;
    case Unit::conv:
      return 2;
    case Unit::misc:
      return 3;
  }
  return 0;
}

// For each unit the number of its last instruction that is done; numbers start at 1.
using Clock = std::array<std::uint32_t, unit_count>;

// Who touched a row or a byte last.
struct Touched {
  std::uint32_t written = 0;
  std::uint32_t writer = 0;
  Clock read{};
};

class Checker final : public AccessSink {
 public:
  Checker(const Program& program, const Checks& checks)
      : program_(program), checks_(checks), rows_(static_cast<std::size_t>(program.machine.bank_count()) * bank_rows) {
    find_shared_registers();
  }

  Report run() {
    for (now_ = 0; now_ < program_.stream.size(); ++now_) {
      const auto& instruction = program_.stream[now_];
      unit_ = index_of(instruction.format->unit);
      take_tokens(instruction);
      reported_.fill(false);
      paired_.fill(0);
      spare_from_ = 0;
      visit_accesses(program_.operations[now_], program_.machine, *this);
      clocks_[unit_][unit_] = number();
      give_tokens(instruction);
    }
    check_queues();
    return std::move(report_);
  }

  void rows(RowAddress first, int count, bool is_write) override {
    auto* bank = rows_.data() + std::size_t{static_cast<unsigned>(first.bank)} * bank_rows;
    if (is_spare_weight(first, count, is_write)) return;
    for (int i = 0; i < count; ++i) touch(bank[static_cast<unsigned>(first.row + i) % bank_rows], is_write, "a row");
  }

  void ddr(int reg, std::int64_t first, std::int64_t count, bool is_write) override {
    auto& bytes = ddr_[reg];
    if (!is_shared_[reg] || first < 0) return;
    if (bytes.size() < static_cast<std::size_t>(first + count)) bytes.resize(static_cast<std::size_t>(first + count));
    for (auto i = first; i < first + count; ++i) touch(bytes[static_cast<std::size_t>(i)], is_write, "DDR");
  }

 private:
  std::uint32_t number() const { return static_cast<std::uint32_t>(now_) + 1; }

  // Only registers that are both written and read can have dependencies.
  void find_shared_registers() {
    std::array<bool, register_count> is_read{}, is_written{};
    for (const auto& operation : program_.operations) {
      if (const auto* transfer = std::get_if<Transfer>(&operation)) {
        (transfer->is_load ? is_read : is_written)[static_cast<std::size_t>(transfer->reg)] = true;
      }
    }
    for (std::size_t reg = 0; reg < register_count; ++reg) is_shared_[reg] = is_read[reg] && is_written[reg];
  }

  // Weights of output channels that a layer does not have are loaded for none, or only for some of them; what they give
  // is dropped. They come last.
  bool is_spare_weight(RowAddress first, int count, bool is_write) {
    const auto& machine = program_.machine;
    if (is_write || first.bank <= machine.weight_bank(0) || first.bank >= machine.depthwise_bank()) return false;
    const auto* bank = rows_.data() + std::size_t{static_cast<unsigned>(first.bank)} * bank_rows;
    bool is_unwritten = false;
    for (int i = 0; i < count; ++i) {
      is_unwritten = is_unwritten || bank[static_cast<unsigned>(first.row + i) % bank_rows].written == 0;
    }
    if (!is_unwritten) {
      if (spare_from_ != 0 && checks_.unwritten) {
        find(FindingKind::unwritten, now_,
             "reads weights in bank " + std::to_string(spare_from_) +
                 " that nothing has written, while those of a later bank are");
        spare_from_ = 0;
      }
      return false;
    }
    if (spare_from_ == 0) spare_from_ = first.bank;
    return true;
  }

  void find(FindingKind kind, std::size_t earlier, const std::string& text) {
    ++report_.count;
    if (report_.findings.size() >= checks_.most_findings) return;
    report_.findings.push_back({kind, now_, earlier, title_of(program_.stream, now_) + " " + text});
  }

  // One finding of a kind for each instruction.
  void find_once(FindingKind kind, std::uint32_t earlier, const char* where, const char* what) {
    auto& is_reported = reported_[static_cast<std::size_t>(kind)];
    if (is_reported) return;
    is_reported = true;
    find(kind, earlier - 1,
         std::string(what) + " " + where + " without waiting for " + title_of(program_.stream, earlier - 1));
  }

  // Counts a dependency once for each pair of instructions in a row of accesses.
  void pair_with(std::uint32_t other, int other_unit) {
    if (other == 0 || other_unit == unit_) return;
    auto& last = paired_[static_cast<std::size_t>(other_unit)];
    if (last == other) return;
    last = other;
    ++report_.pairs;
  }

  void touch(Touched& at, bool is_write, const char* where) {
    const auto& clock = clocks_[unit_];
    const auto writer = static_cast<int>(at.writer);
    pair_with(at.written, writer);
    const bool is_after_write = writer == unit_ || clock[writer] >= at.written;
    if (!is_write) {
      if (at.written == 0 && checks_.unwritten && !reported_[static_cast<std::size_t>(FindingKind::unwritten)]) {
        reported_[static_cast<std::size_t>(FindingKind::unwritten)] = true;
        find(FindingKind::unwritten, now_, std::string("reads ") + where + " that nothing has written");
      }
      if (checks_.order && !is_after_write) {
        find_once(FindingKind::read_after_write, at.written, where, "reads");
      }
      at.read[unit_] = number();
      return;
    }
    if (checks_.order && !is_after_write) {
      find_once(FindingKind::write_after_write, at.written, where, "overwrites");
    }
    for (int unit = 0; unit < unit_count; ++unit) {
      if (unit == unit_ || at.read[unit] == 0) continue;
      pair_with(at.read[unit], unit);
      if (checks_.order && clock[unit] < at.read[unit]) {
        find_once(FindingKind::write_after_read, at.read[unit], where, "overwrites what is still read in");
      }
    }
    at = {number(), static_cast<std::uint32_t>(unit_), {}};
  }

  void take_tokens(const Instruction& instruction) {
    auto& clock = clocks_[unit_];
    for (int other = 0; other < unit_count; ++other) {
      if (other == unit_ || (instruction.dpdon >> other & 1) == 0) continue;
      auto& queue = queues_[other][unit_];
      if (queue.empty()) {
        if (checks_.tokens) {
          find(FindingKind::token, now_,
               std::string("waits for a token of ") + unit_names[other] + ", which has given none that is left");
        }
        continue;
      }
      for (int unit = 0; unit < unit_count; ++unit) clock[unit] = std::max(clock[unit], queue.front()[unit]);
      queue.pop_front();
    }
  }

  void give_tokens(const Instruction& instruction) {
    for (int other = 0; other < unit_count; ++other) {
      if (other == unit_ || (instruction.dpdby >> other & 1) == 0) continue;
      auto& queue = queues_[unit_][other];
      queue.push_back(clocks_[unit_]);
      report_.deepest_queue = std::max(report_.deepest_queue, queue.size());
    }
  }

  void check_queues() {
    if (!checks_.tokens || program_.stream.empty()) return;
    --now_;
    for (int from = 0; from < unit_count; ++from) {
      for (int to = 0; to < unit_count; ++to) {
        const auto left = queues_[from][to].size();
        if (left == 0) continue;
        find(FindingKind::token, now_,
             "ends the stream with " + std::to_string(left) + " tokens of " + unit_names[from] + " that " +
                 unit_names[to] + " has not taken");
      }
    }
  }

  const Program& program_;
  const Checks& checks_;
  Report report_;
  std::vector<Touched> rows_;
  std::array<std::vector<Touched>, register_count> ddr_;
  std::array<bool, register_count> is_shared_{};
  std::array<Clock, unit_count> clocks_{};
  std::deque<Clock> queues_[unit_count][unit_count];
  std::size_t now_ = 0;
  int unit_ = 0;
  int spare_from_ = 0;  // first bank of weights that nothing has written, of this instruction
  std::array<bool, 5> reported_{};
  std::array<std::uint32_t, unit_count> paired_{};
};

}  // namespace

const char* name_of(FindingKind kind) {
  switch (kind) {
    case FindingKind::read_after_write:
      return "read after write";
    case FindingKind::write_after_read:
      return "write after read";
    case FindingKind::write_after_write:
      return "write after write";
    case FindingKind::unwritten:
      return "unwritten";
    case FindingKind::token:
      return "token";
  }
  return "unknown";
}

Report check_order(const Program& program, const Checks& checks) { return Checker(program, checks).run(); }

}  // namespace nerone::isa
