#pragma once

#include <string>

namespace nerone::run {

// A text on one line, without what a terminal would take for commands: names come from files and bundles. Control
// characters, line breaks among them, marks that turn the direction of writing, and bytes that are no UTF-8 become the
// replacement character, as of nerone.errors.printable_line in Python.
std::string printable_line(const std::string& text);

}  // namespace nerone::run
