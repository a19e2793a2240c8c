#include <nerone/error.hpp>
#include <nerone/xmodel.hpp>

#include "xmodel/op_registry.hpp"

namespace nerone::xmodel {

template <typename T>
T attr_or(const Attrs& attrs, const std::string& key, T fallback) {
  const auto found = attrs.find(key);
  if (found == attrs.end()) return fallback;
  if (const auto* value = std::get_if<T>(&found->second)) return *value;
  throw ModelError("attribute '" + key + "' has type " + type_name(found->second) + ", expected " +
                   type_name(Attr(std::in_place_type<T>)) + "; compile the model again");
}

template bool attr_or(const Attrs&, const std::string&, bool);
template std::int32_t attr_or(const Attrs&, const std::string&, std::int32_t);
template std::uint32_t attr_or(const Attrs&, const std::string&, std::uint32_t);
template std::int64_t attr_or(const Attrs&, const std::string&, std::int64_t);
template std::uint64_t attr_or(const Attrs&, const std::string&, std::uint64_t);
template float attr_or(const Attrs&, const std::string&, float);
template double attr_or(const Attrs&, const std::string&, double);
template std::string attr_or(const Attrs&, const std::string&, std::string);
template Bytes attr_or(const Attrs&, const std::string&, Bytes);
template std::vector<bool> attr_or(const Attrs&, const std::string&, std::vector<bool>);
template std::vector<std::int32_t> attr_or(const Attrs&, const std::string&, std::vector<std::int32_t>);
template std::vector<std::uint32_t> attr_or(const Attrs&, const std::string&, std::vector<std::uint32_t>);
template std::vector<std::int64_t> attr_or(const Attrs&, const std::string&, std::vector<std::int64_t>);
template std::vector<std::uint64_t> attr_or(const Attrs&, const std::string&, std::vector<std::uint64_t>);
template std::vector<float> attr_or(const Attrs&, const std::string&, std::vector<float>);
template std::vector<double> attr_or(const Attrs&, const std::string&, std::vector<double>);
template std::vector<std::string> attr_or(const Attrs&, const std::string&, std::vector<std::string>);
template std::map<std::string, std::int32_t> attr_or(const Attrs&, const std::string&,
                                                     std::map<std::string, std::int32_t>);
template std::map<std::string, std::string> attr_or(const Attrs&, const std::string&,
                                                    std::map<std::string, std::string>);
template std::map<std::string, Bytes> attr_or(const Attrs&, const std::string&, std::map<std::string, Bytes>);

std::optional<int> Tensor::fix_point() const {
  if (attrs.count("fix_point") == 0) return std::nullopt;
  return attr_or<std::int32_t>(attrs, "fix_point", 0);
}

std::int64_t Tensor::element_count() const {
  std::int64_t count = 1;
  for (const auto extent : shape) count *= extent;
  return count;
}

bool Op::is_constant() const { return type == "const" || type == "const-fix"; }
bool Op::is_data() const { return type == "data" || type == "data-fix"; }

std::string Subgraph::device() const { return attr_or<std::string>(attrs, "device", {}); }

}  // namespace nerone::xmodel
