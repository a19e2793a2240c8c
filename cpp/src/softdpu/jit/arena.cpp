#include "softdpu/jit/arena.hpp"

#include <algorithm>
#include <numeric>

namespace nerone::softdpu::jit {
namespace {

constexpr std::size_t alignment = 64;

bool overlap(const Span& a, const Span& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

Arena arrange(const std::vector<Span>& spans) {
  std::vector<std::size_t> order(spans.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return spans[a].size_bytes > spans[b].size_bytes; });
  Arena arena{std::vector<std::size_t>(spans.size(), 0), 0};
  std::vector<std::size_t> placed;  // by offset
  for (const auto index : order) {
    std::size_t offset = 0;
    for (const auto other : placed) {
      if (!overlap(spans[index], spans[other])) continue;
      if (offset + spans[index].size_bytes <= arena.offsets[other]) break;
      const auto end = arena.offsets[other] + spans[other].size_bytes;
      offset = std::max(offset, (end + alignment - 1) / alignment * alignment);
    }
    arena.offsets[index] = offset;
    arena.size_bytes = std::max(arena.size_bytes, offset + spans[index].size_bytes);
    const auto behind =
        std::find_if(placed.begin(), placed.end(), [&](std::size_t other) { return arena.offsets[other] > offset; });
    placed.insert(behind, index);
  }
  return arena;
}

}  // namespace nerone::softdpu::jit
