#include "softdpu/check_program.hpp"

#include <nerone/error.hpp>
#include <unordered_set>

namespace nerone::softdpu {

namespace {

void check_names(const Program& program, const std::vector<std::size_t>& boundary, const char* kind) {
  std::unordered_set<std::string> names;
  for (const auto index : boundary) {
    if (index >= program.values.size()) throw ModelError(std::string("the DPU subgraph has an unknown ") + kind);
    const auto& value = program.values[index];
    if (!names.insert(value.name).second) {
      throw ModelError(std::string("the DPU subgraph has two ") + kind + "s of the name '" + value.name + "'");
    }
  }
}

void check_constants(const Program& program) {
  for (const auto& value : program.values) {
    if (value.constant && value.constant->size() != value.size_bytes()) {
      throw ModelError("the constant '" + value.name + "' has " + std::to_string(value.constant->size()) +
                       " bytes, its tensor takes " + std::to_string(value.size_bytes()));
    }
  }
}

}  // namespace

void check_program(const Program& program) {
  check_names(program, program.inputs, "input");
  check_names(program, program.outputs, "output");
  check_constants(program);
  std::vector<bool> written(program.values.size(), false);
  for (std::size_t value = 0; value < program.values.size(); ++value) {
    written[value] = program.values[value].constant != nullptr;
  }
  for (const auto input : program.inputs) {
    if (written[input])
      throw ModelError("input '" + program.values[input].name + "' of the DPU subgraph is a constant");
    written[input] = true;
  }
  for (const auto& step : program.steps) {
    if (step.inputs.empty()) throw ModelError("op '" + step.name + "' has no input");
    for (const auto input : step.inputs) {
      if (input >= written.size() || !written[input]) {
        throw ModelError("op '" + step.name + "' reads a tensor that nothing has written");
      }
    }
    if (step.output >= written.size() || written[step.output]) {
      throw ModelError("op '" + step.name + "' writes a tensor that is written already");
    }
    written[step.output] = true;
  }
  for (const auto output : program.outputs) {
    if (!written[output]) throw ModelError("nothing writes output '" + program.values[output].name + "'");
  }
}

}  // namespace nerone::softdpu
