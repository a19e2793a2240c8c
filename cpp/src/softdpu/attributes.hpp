#pragma once

// Reading an op's attributes where the field's tools disagree on int and float.

#include <cstdint>
#include <nerone/xmodel.hpp>
#include <string>
#include <vector>

namespace nerone::softdpu {

// "op 'conv1' (conv2d-fix): REASON"
[[noreturn]] void refuse(const xmodel::Op& op, const std::string& reason);

int int_attr(const xmodel::Op& op, const std::string& key, int fallback);
bool bool_attr(const xmodel::Op& op, const std::string& key, bool fallback);
std::string string_attr(const xmodel::Op& op, const std::string& key, const std::string& fallback);
// Any vector of numbers; ModelError where the attribute has another length. Empty fallback: the attribute is required.
std::vector<double> numbers_attr(const xmodel::Op& op, const std::string& key, std::size_t length,
                                 const std::vector<double>& fallback);
std::vector<int> ints_attr(const xmodel::Op& op, const std::string& key, std::size_t length,
                           const std::vector<int>& fallback);

}  // namespace nerone::softdpu
