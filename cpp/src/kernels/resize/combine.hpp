#pragma once

#include <cstddef>
#include <cstdint>
#include <nerone/tensor.hpp>

namespace nerone::kernels {

// Floats that must be readable (and finite) behind a row given to combine_columns.
constexpr std::size_t row_margin = 32;
// Rows that combine_columns is best given at once.
constexpr std::size_t row_batch = 4;

// Vertical half of a resize: out[i] = ((rows[0][i] * weights[0] + rows[1][i] * weights[1]) + ...) + constant
// for i < count, float32 after each operation. rows: `taps` >= 1 rows of `dtype` (not int64).
// The constant is added only where it is not 0.
void combine_rows(DType dtype, const void* const* rows, const float* weights, std::size_t taps, float constant,
                  std::size_t count, float* out);

// Horizontal half, of each row r < row_count: with row = rows[r]
//   out[r][x] = (row[first[x]] * weights[x] + row[first[x] + 1] * weights[stride + x] + ...) + constants[x]
// for x < count. first does not decrease; weights holds `taps` lines of `stride` floats; constants may be null.
// `scratch`: row_batch * (the longest row + row_margin) floats.
void combine_columns(const float* const* rows, std::size_t row_count, const std::int32_t* first, const float* weights,
                     std::size_t stride, std::size_t taps, const float* constants, std::size_t count, float* const* out,
                     float* scratch);

namespace scalar {
void combine_rows(DType dtype, const void* const* rows, const float* weights, std::size_t taps, float constant,
                  std::size_t count, float* out);
// Of one row.
void combine_columns(const float* row, const std::int32_t* first, const float* weights, std::size_t stride,
                     std::size_t taps, const float* constants, std::size_t count, float* out);
}  // namespace scalar

}  // namespace nerone::kernels
