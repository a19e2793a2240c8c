#pragma once

#include <nerone/preprocess.hpp>

#include "bundle/fields.hpp"

namespace nerone::bundle {

// The field "preprocessing", as nerone.runtime.preprocessing.Preprocessing.to_dict writes it. ConfigurationError.
preprocess::Steps read_preprocessing(const Fields& declaration);

}  // namespace nerone::bundle
