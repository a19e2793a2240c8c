// Included for each instruction set by foreach_vector.hpp. No include guard.

namespace nerone::softdpu::jit::NERONE_VECTORS {
namespace {

NERONE_TARGET Vector scaled_words(Vector words, int shift) {
  return right_words(sub_words(left_words(words, 2), words_of(4 * zero_byte)), shift);
}

NERONE_TARGET Words scaled(const std::uint8_t* from, int shift) {
  const Vector bytes = load(from);
  const int count = std::min(shift, 15);
  return {scaled_words(low_words(bytes), count), scaled_words(high_words(bytes), count)};
}

NERONE_TARGET Vector exact_vector(const ConstImage* inputs, const SumRule& rule, int y, int group, std::ptrdiff_t at) {
  Words sums = scaled(inputs[0].row(y, group) + at, rule.input_shifts[0]);
  for (std::size_t input = 1; input < rule.input_shifts.size(); ++input) {
    const Words more = scaled(inputs[input].row(y, group) + at, rule.input_shifts[input]);
    sums.low = add_words(sums.low, more.low);
    sums.high = add_words(sums.high, more.high);
  }
  return finished(sums, rule.shift, rule.bounds);
}

NERONE_TARGET Vector plain_vector(const ConstImage* inputs, const SumRule& rule, int y, int group, std::ptrdiff_t at,
                                  Vector offset) {
  Words sums{offset, offset};
  for (std::size_t input = 0; input < rule.input_shifts.size(); ++input) {
    const Vector bytes = load(inputs[input].row(y, group) + at);
    const int count = 2 - rule.input_shifts[input];
    sums.low = add_words(sums.low, left_words(low_words(bytes), count));
    sums.high = add_words(sums.high, left_words(high_words(bytes), count));
  }
  return bounded(bytes_of_words(right_words(sums.low, rule.shift), right_words(sums.high, rule.shift)), rule.bounds);
}

NERONE_TARGET void sum_row(const ConstImage* inputs, const SumRule& rule, const Image& output, int y, int group,
                           bool plain) {
  std::uint8_t* const to = output.row(y, group);
  const Vector offset = words_of(plain ? plain_offset(rule) : std::int16_t{0});
  for (int i = 0; i < output.vectors(); ++i) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(i) * vector_bytes;
    store(to + at, plain ? plain_vector(inputs, rule, y, group, at, offset) : exact_vector(inputs, rule, y, group, at));
  }
  finish_row(to, output);
}

}  // namespace

NERONE_TARGET void sum(const ConstImage* inputs, const SumRule& rule, const Image& output, const Range& rows) {
  const bool plain = is_plain(rule);
  for (int y = rows.begin; y < std::min(rows.end, output.height); ++y) {
    for (int group = 0; group < output.groups; ++group) sum_row(inputs, rule, output, y, group, plain);
  }
}

}  // namespace nerone::softdpu::jit::NERONE_VECTORS
