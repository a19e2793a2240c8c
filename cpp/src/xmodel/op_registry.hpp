#pragma once

// The demands of XIR's registry (libxir 2.5) on the op types it knows.

#include <cstddef>
#include <nerone/xmodel.hpp>
#include <optional>
#include <string>
#include <vector>

namespace nerone::xmodel {

enum class Occurrence { one, optional, some };

struct RoleDefinition {
  std::string name;
  Occurrence occurrence = Occurrence::one;
};

struct AttrDefinition {
  std::string name;
  std::string type;  // as type_name() says it; "float32s" stands for int32s as well, as libxir reads both
  bool required = true;
  std::size_t length = 0;        // of a list; 0 where it varies
  std::optional<Attr> fallback;  // what libxir gives an op that lacks it
};

struct OpDefinition {
  std::vector<RoleDefinition> roles;
  std::vector<AttrDefinition> attrs;
};

// Null for a type that XIR does not know: a custom op, of which libxir wants attributes shape and data_type, and
// inputs in the one role "input".
const OpDefinition* find_definition(const std::string& type);

// "int32s", "text" ...: the words of the registry for the types of attributes.
const char* type_name(const Attr& attr);

}  // namespace nerone::xmodel
