#pragma once

#include <nerone/xmodel.hpp>
#include <optional>

#include "xmodel/wire.hpp"

namespace nerone::xmodel {

// An attribute's message; nothing where it holds no value of a known type.
std::optional<Attr> decode_attr(wire::Message message, wire::Budget& budget);

// One entry of a map of attributes, into `attrs`.
void decode_attr_entry(wire::Message entry, wire::Budget& budget, Attrs& attrs);

void encode_attrs(wire::Writer& writer, std::uint32_t field, const Attrs& attrs);

}  // namespace nerone::xmodel
