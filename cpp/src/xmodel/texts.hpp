#pragma once

#include <nerone/xmodel.hpp>
#include <string>
#include <string_view>

namespace nerone::xmodel {

// libprotobuf ends the process over a text that is not UTF-8.
bool is_utf8(std::string_view text);

// ModelError where a name or a text among the attributes is not UTF-8. `owner` is for the message: "op 'conv'".
void check_texts(const Attrs& attrs, const std::string& owner);

// Names come from files: control characters are replaced, and what no one would read is cut.
std::string one_line(std::string message);

// The message on one line, with what to do about a damaged file behind it where it says nothing of its own to do.
std::string with_advice(const std::string& message);

}  // namespace nerone::xmodel
