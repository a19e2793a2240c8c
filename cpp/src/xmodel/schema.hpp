#pragma once

// Field numbers of XIR's graph schema (package serial_v2 of libxir, as its embedded descriptor gives them).

#include <cstdint>

namespace nerone::xmodel::schema {

namespace graph {
constexpr std::uint32_t name = 1, op = 5, root = 10, attr = 11;
}
namespace op {
constexpr std::uint32_t name = 1, type = 2, attr = 3, input = 4, output = 5;
}
namespace input {
constexpr std::uint32_t role = 1, op = 2;
}
namespace tensor {
constexpr std::uint32_t name = 1, extent = 2, type = 5, bit_width = 6, attr = 10;
}
namespace subgraph {
constexpr std::uint32_t name = 1, op = 3, attr = 5, child = 10;
}
namespace entry {  // of any map
constexpr std::uint32_t key = 1, value = 2;
}
namespace list {  // of any list or bytes message
constexpr std::uint32_t value = 1;
}
namespace value {  // the alternatives of an attribute
constexpr std::uint32_t boolean = 4, int32 = 5, uint32 = 6, int64 = 7, uint64 = 8, float32 = 9, float64 = 10, text = 11,
                        bytes = 12, booleans = 13, int32s = 14, uint32s = 15, int64s = 16, uint64s = 17, float32s = 18,
                        float64s = 19, texts = 20, bytes_list = 21, int32_map = 22, uint32_map = 23, int64_map = 24,
                        uint64_map = 25, text_map = 26, bytes_map = 27, int32s_map = 28, uint32s_map = 29,
                        int64s_map = 30, uint64s_map = 31, texts_map = 32;
}

}  // namespace nerone::xmodel::schema
