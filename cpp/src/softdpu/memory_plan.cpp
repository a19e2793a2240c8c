#include "softdpu/memory_plan.hpp"

#include <algorithm>
#include <limits>

namespace nerone::softdpu {

namespace {

constexpr std::size_t alignment = 64;

// The steps during which a place is taken.
struct Lifetime {
  std::size_t first = std::numeric_limits<std::size_t>::max();
  std::size_t last = 0;

  void include(std::size_t step) {
    first = std::min(first, step);
    last = std::max(last, step);
  }
  bool overlaps(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

struct Block {
  std::size_t value = 0;
  std::size_t size = 0;
  Lifetime lifetime;
  std::size_t offset = 0;
};

// The value whose place each value shares, through copies.
std::vector<std::size_t> find_roots(const Program& program, std::vector<bool>& skipped_steps) {
  std::vector<std::size_t> roots(program.values.size());
  for (std::size_t value = 0; value < roots.size(); ++value) roots[value] = value;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const auto& step = program.steps[i];
    if (!std::holds_alternative<Copy>(step.operation)) continue;
    roots[step.output] = roots[step.inputs.front()];
    skipped_steps[i] = true;
  }
  return roots;
}

// Largest first, each at the lowest offset that is free during its whole life.
std::size_t place_blocks(std::vector<Block>& blocks) {
  std::sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.size > b.size; });
  std::size_t arena_bytes = 0;
  std::vector<const Block*> neighbours;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    auto& block = blocks[i];
    neighbours.clear();
    for (std::size_t k = 0; k < i; ++k) {
      if (blocks[k].lifetime.overlaps(block.lifetime)) neighbours.push_back(&blocks[k]);
    }
    std::sort(neighbours.begin(), neighbours.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
    for (const auto* other : neighbours) {
      if (block.offset + block.size <= other->offset) break;
      block.offset = std::max(block.offset, other->offset + other->size);
    }
    arena_bytes = std::max(arena_bytes, block.offset + block.size);
  }
  return arena_bytes;
}

std::vector<Lifetime> find_lifetimes(const Program& program, const std::vector<std::size_t>& roots,
                                     const std::vector<bool>& skipped_steps) {
  std::vector<Lifetime> lifetimes(program.values.size());
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    if (skipped_steps[i]) continue;
    lifetimes[roots[program.steps[i].output]].include(i);
    for (const auto input : program.steps[i].inputs) lifetimes[roots[input]].include(i);
  }
  return lifetimes;
}

}  // namespace

MemoryPlan plan_memory(const Program& program) {
  MemoryPlan plan;
  plan.places.resize(program.values.size());
  plan.skipped_steps.resize(program.steps.size(), false);
  const auto roots = find_roots(program, plan.skipped_steps);
  auto lifetimes = find_lifetimes(program, roots, plan.skipped_steps);
  std::vector<bool> placed(program.values.size(), false);
  const auto place = [&](std::size_t value, Place::Kind kind, std::size_t index) {
    plan.places[value] = {kind, index, 0};
    placed[value] = true;
  };
  for (std::size_t value = 0; value < program.values.size(); ++value) {
    if (program.values[value].constant) place(value, Place::Kind::constant, value);
  }
  for (std::size_t i = 0; i < program.inputs.size(); ++i) place(program.inputs[i], Place::Kind::input, i);
  for (std::size_t i = 0; i < program.outputs.size(); ++i) {
    const auto root = roots[program.outputs[i]];
    if (placed[root]) {
      plan.output_copies.push_back({root, i});
    } else {
      place(root, Place::Kind::output, i);
    }
  }
  std::vector<Block> blocks;
  for (std::size_t value = 0; value < program.values.size(); ++value) {
    if (roots[value] != value || placed[value]) continue;
    const auto size = (program.values[value].size_bytes() + alignment - 1) / alignment * alignment;
    blocks.push_back({value, size, lifetimes[value]});
  }
  plan.arena_bytes = place_blocks(blocks);
  for (const auto& block : blocks) plan.places[block.value] = {Place::Kind::arena, 0, block.offset};
  for (std::size_t value = 0; value < program.values.size(); ++value) plan.places[value] = plan.places[roots[value]];
  return plan;
}

}  // namespace nerone::softdpu
