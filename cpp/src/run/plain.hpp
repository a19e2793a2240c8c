#pragma once

#include <string>

#include "run/picture.hpp"

namespace nerone::run {

// Elements of a NumPy array, by its type string without the byte order ("u1", "i8", "f4", "b1" ...); 0: not supported.
std::size_t element_bytes(const std::string& type);

// Makes of `count` elements the values that `nerone run` makes of them: uint8, uint16, int16 and float32 stay, others
// become int16 or uint16 where they fit exactly, else float32.
void make_plain(const char* elements, std::size_t count, const std::string& type, bool swapped, Picture& into);

}  // namespace nerone::run
