// Instruction streams run on banks and registers.
#include <pybind11/stl.h>

#include <algorithm>
#include <nerone/error.hpp>

#include "isa/core.hpp"
#include "isa/order.hpp"
#include "isa/sources.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace nerone::bindings {

namespace {

using Registers = std::map<int, std::string>;

isa::Program program_of(const std::string& code, std::uint64_t fingerprint, const std::string& dpu_name) {
  const auto machine = isa::machine_of(fingerprint, dpu_name);
  return isa::make_program(machine, isa::decode(code.data(), code.size(), machine.version, true));
}

py::dict run_instructions(const std::string& code, std::uint64_t fingerprint, std::map<int, py::bytes> given,
                          const std::string& dpu_name) {
  Registers registers;
  for (const auto& [number, bytes] : given) {
    if (number < 0 || number >= isa::register_count) {
      throw ConfigurationError("register " + std::to_string(number) + " does not exist, expected 0 to 7");
    }
    registers.emplace(number, static_cast<std::string>(bytes));
  }
  {
    py::gil_scoped_release release;
    const auto program = program_of(code, fingerprint, dpu_name);
    std::map<int, std::size_t> sizes;
    std::array<std::uint8_t*, isa::register_count> addresses{};
    for (auto& [number, bytes] : registers) {
      sizes[number] = bytes.size();
      addresses[number] = reinterpret_cast<std::uint8_t*>(bytes.data());
    }
    isa::check_registers(program, sizes);
    isa::Core(program.machine).run(program, addresses);
  }
  py::dict results;
  for (const auto& [number, bytes] : registers) results[py::int_(number)] = py::bytes(bytes);
  return results;
}

py::dict check_instructions(const std::string& code, std::uint64_t fingerprint, const std::string& dpu_name,
                            const std::map<int, std::size_t>& register_bytes, const isa::Checks& checks) {
  using namespace py::literals;
  isa::Report report;
  {
    py::gil_scoped_release release;
    const auto program = program_of(code, fingerprint, dpu_name);
    if (!register_bytes.empty()) isa::check_registers(program, register_bytes);
    report = isa::check_order(program, checks);
  }
  py::list findings;
  for (const auto& finding : report.findings) {
    findings.append(py::make_tuple(isa::name_of(finding.kind), finding.instruction, finding.earlier, finding.text));
  }
  return py::dict("findings"_a = findings, "count"_a = report.count, "pairs"_a = report.pairs,
                  "deepest_queue"_a = report.deepest_queue);
}

std::vector<std::vector<std::uint32_t>> instruction_sources(const std::string& code, std::uint64_t fingerprint,
                                                            const std::string& dpu_name) {
  py::gil_scoped_release release;
  return isa::sources_of(program_of(code, fingerprint, dpu_name));
}

}  // namespace

void register_isa_run(py::module_& module) {
  module.def("run_instructions", &run_instructions, py::arg("code"), py::arg("fingerprint"), py::arg("registers"),
             py::arg("dpu_name") = "", "Run mc_code on copies of the registers' contents; return these.");
  module.def(
      "check_instructions",
      [](const std::string& code, std::uint64_t fingerprint, const std::string& dpu_name,
         const std::map<int, std::size_t>& register_bytes, bool order, bool tokens, bool unwritten,
         std::size_t most_findings) {
        return check_instructions(code, fingerprint, dpu_name, register_bytes,
                                  {order, tokens, unwritten, most_findings});
      },
      py::arg("code"), py::arg("fingerprint"), py::arg("dpu_name") = "",
      py::arg("register_bytes") = std::map<int, std::size_t>{}, py::arg("order") = true, py::arg("tokens") = true,
      py::arg("unwritten") = true, py::arg("most_findings") = 100,
      "Check mc_code without running it: order between units, tokens, rows written before they are read, registers.");
  module.def("instruction_sources", &instruction_sources, py::arg("code"), py::arg("fingerprint"),
             py::arg("dpu_name") = "", "For each instruction the earlier ones that wrote the rows that it reads.");
}

}  // namespace nerone::bindings
