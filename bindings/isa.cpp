// The DPU's instructions as plain values: (name, fields, dpdon, dpdby, offset).
#include <pybind11/stl.h>

#include <nerone/error.hpp>

#include "isa/machine.hpp"
#include "isa/stream.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

using Record = std::tuple<std::string, py::dict, int, int, std::uint32_t>;
using Parts = std::tuple<std::string, std::map<std::string, std::int64_t>, int, int>;

py::list decode_instructions(const py::bytes& code, int version) {
  const auto text = static_cast<std::string_view>(code);
  isa::Stream stream;
  {
    py::gil_scoped_release release;
    stream = isa::decode(text.data(), text.size(), version);
  }
  py::list records;
  for (const auto& instruction : stream) {
    py::dict fields;
    for (int i = 0; i < instruction.format->count; ++i) {
      fields[isa::name_of(instruction.format->fields[i].id)] = instruction.values[i];
    }
    records.append(
        py::make_tuple(instruction.format->name, fields, instruction.dpdon, instruction.dpdby, instruction.offset));
  }
  return records;
}

isa::Instruction instruction_of(const Parts& parts, int version, std::size_t index) {
  const auto& [name, fields, dpdon, dpdby] = parts;
  const auto where = "instruction " + std::to_string(index) + " (" + name + ")";
  isa::Instruction instruction;
  instruction.format = isa::format_of(version, name);
  if (instruction.format == nullptr) {
    throw ModelError(where + " is none of version " + std::to_string(version) + " of the instruction set");
  }
  if (dpdon < 0 || dpdon > 15 || dpdby < 0 || dpdby > 15) {
    throw ModelError(where + ": dpdon is " + std::to_string(dpdon) + " and dpdby " + std::to_string(dpdby) +
                     ", expected 0 to 15");
  }
  instruction.dpdon = static_cast<std::uint8_t>(dpdon);
  instruction.dpdby = static_cast<std::uint8_t>(dpdby);
  std::size_t found = 0;
  for (int i = 0; i < instruction.format->count; ++i) {
    const auto& field = instruction.format->fields[i];
    const auto value = fields.find(isa::name_of(field.id));
    found += value != fields.end() ? 1 : 0;
    const auto number = value != fields.end() ? value->second : field.smallest();
    if (number < field.smallest() || number > field.largest()) {
      throw ModelError(where + ": " + isa::name_of(field.id) + " is " + std::to_string(number) + ", expected " +
                       std::to_string(field.smallest()) + " to " + std::to_string(field.largest()));
    }
    instruction.values[i] = static_cast<std::uint32_t>(number);
  }
  if (found != fields.size()) throw ModelError(where + " has a field that its format does not have");
  return instruction;
}

py::bytes encode_instructions(const std::vector<Parts>& records, int version) {
  isa::Stream stream;
  for (const auto& record : records) stream.push_back(instruction_of(record, version, stream.size()));
  const auto bytes = isa::encode(stream);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

py::list instruction_formats(int version) {
  using namespace py::literals;
  py::list formats;
  for (const auto& format : isa::all_formats()) {
    if (version < 0 || version >= isa::version_count || !format.versions[version]) continue;
    py::list fields;
    for (const auto& field : format) {
      fields.append(py::dict("name"_a = isa::name_of(field.id), "word"_a = field.word, "high"_a = field.high,
                             "low"_a = field.low, "smallest"_a = field.smallest(), "largest"_a = field.largest()));
    }
    formats.append(py::dict("name"_a = format.name, "opcode"_a = static_cast<int>(format.opcode),
                            "unit"_a = static_cast<int>(format.unit), "words"_a = format.words, "fields"_a = fields));
  }
  return formats;
}

py::dict dpu_machine(std::uint64_t fingerprint, const std::string& dpu_name) {
  using namespace py::literals;
  const auto machine = isa::machine_of(fingerprint, dpu_name);
  return py::dict("size"_a = machine.size, "version"_a = machine.version, "pixels"_a = machine.pixels,
                  "channels"_a = machine.channels, "image_groups"_a = machine.image_groups,
                  "misc_pixels"_a = machine.misc_pixels, "bank_rows"_a = isa::bank_rows);
}

}  // namespace

void register_isa(py::module_& module) {
  module.def("decode_instructions", &decode_instructions, py::arg("code"), py::arg("version"),
             "The instructions of mc_code as (name, fields, dpdon, dpdby, offset).");
  module.def("encode_instructions", &encode_instructions, py::arg("instructions"), py::arg("version"),
             "The bytes of instructions given as (name, fields, dpdon, dpdby); a field left out is the smallest.");
  module.def("instruction_formats", &instruction_formats, py::arg("version"),
             "The words and fields of each instruction of a version of the instruction set.");
  module.def("dpu_machine", &dpu_machine, py::arg("fingerprint"), py::arg("dpu_name") = "",
             "Size and banks of the DPU with this fingerprint.");
}

}  // namespace nerone::bindings
