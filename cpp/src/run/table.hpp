#pragma once

#include <string>

namespace nerone::run {

// A text as a field of a CSV file (RFC 4180), on one line, as of nerone.bundle.tables in Python: what a spreadsheet
// would run as a formula, as names of files and classes may, starts with an apostrophe; numbers stay as they are.
std::string table_field(const std::string& text);

}  // namespace nerone::run
