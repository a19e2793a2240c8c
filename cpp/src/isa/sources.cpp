#include "isa/sources.hpp"

#include <algorithm>

#include "isa/access.hpp"

namespace nerone::isa {

namespace {

class Collector final : public AccessSink {
 public:
  explicit Collector(const Machine& machine)
      : writers_(static_cast<std::size_t>(machine.bank_count()) * bank_rows, nobody) {}

  std::vector<std::uint32_t> sources(const Operation& operation, const Machine& machine, std::uint32_t number) {
    found_.clear();
    number_ = number;
    visit_accesses(operation, machine, *this);
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return found_;
  }

  void rows(RowAddress first, int count, bool is_write) override {
    auto* bank = writers_.data() + std::size_t{static_cast<unsigned>(first.bank)} * bank_rows;
    auto last = nobody;
    for (int i = 0; i < count; ++i) {
      auto& writer = bank[static_cast<unsigned>(first.row + i) % bank_rows];
      if (is_write) {
        writer = number_;
      } else if (writer != last && writer != nobody) {
        found_.push_back(writer);
        last = writer;
      }
    }
  }

  void ddr(int, std::int64_t, std::int64_t, bool) override {}

 private:
  static constexpr std::uint32_t nobody = ~0U;
  std::vector<std::uint32_t> writers_, found_;
  std::uint32_t number_ = 0;
};

}  // namespace

std::vector<std::vector<std::uint32_t>> sources_of(const Program& program) {
  Collector collector(program.machine);
  std::vector<std::vector<std::uint32_t>> all;
  all.reserve(program.operations.size());
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    all.push_back(collector.sources(program.operations[i], program.machine, static_cast<std::uint32_t>(i)));
  }
  return all;
}

}  // namespace nerone::isa
