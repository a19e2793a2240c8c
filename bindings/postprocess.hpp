#pragma once

#include <nerone/postprocess.hpp>
#include <string>

namespace nerone::bindings {

// "classes", "probabilities", "real" or "raw"; ConfigurationError for anything else.
postprocess::Kind kind_of(const std::string& name);

}  // namespace nerone::bindings
