#include "softdpu/instruction_engine.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <nerone/error.hpp>
#include <utility>

#include "base/aligned_buffer.hpp"
#include "isa/core.hpp"
#include "softdpu/register_place.hpp"
#include "softdpu/step_info.hpp"

namespace nerone::softdpu {

namespace {

// A damaged size cannot exhaust the machine.
constexpr std::size_t most_register_bytes = std::size_t{1} << 30;

int number_of(const std::string& reg) {
  if (reg.rfind("REG_", 0) == 0 && reg.size() == 5 && reg[4] >= '0' && reg[4] <= '7') return reg[4] - '0';
  throw ModelError("register '" + reg + "' is not known, expected REG_0 to REG_7");
}

std::map<int, std::size_t> sizes_of(const xmodel::Subgraph& subgraph, const RegisterPlaces& places) {
  std::map<int, std::size_t> sizes;
  const auto grow = [&](int reg, std::int64_t size) {
    if (size < 0 || static_cast<std::size_t>(size) > most_register_bytes) {
      throw ModelError("register " + std::to_string(reg) + " has " + std::to_string(size) + " bytes");
    }
    sizes[reg] = std::max(sizes[reg], static_cast<std::size_t>(size));
  };
  for (const auto& [name, size] :
       xmodel::attr_or<std::map<std::string, std::int32_t>>(subgraph.attrs, "reg_id_to_size", {})) {
    grow(number_of(name), size);
  }
  for (const auto* several : {&places.inputs, &places.outputs}) {
    for (const auto& place : *several) {
      if (place.reg < 0 || place.reg >= isa::register_count) {
        throw ModelError("tensor '" + place.info.name + "' lies in register " + std::to_string(place.reg));
      }
      grow(place.reg, place.end());
    }
  }
  return sizes;
}

isa::Program program_of(const xmodel::Subgraph& subgraph) {
  const auto fingerprint = xmodel::attr_or<std::uint64_t>(subgraph.attrs, "dpu_fingerprint", 0);
  const auto machine = isa::machine_of(fingerprint, xmodel::attr_or<std::string>(subgraph.attrs, "dpu_name", {}));
  isa::Stream all;
  for (const char* key : {"mc_code_preload", "mc_code"}) {
    const auto code = xmodel::attr_or<xmodel::Bytes>(subgraph.attrs, key, {});
    if (code.empty()) continue;
    const auto stream = isa::decode(code.data(), code.size(), machine.version);
    all.insert(all.end(), stream.begin(), stream.end());
  }
  return isa::make_program(machine, std::move(all));
}

struct InstructionContext final : Context {
  explicit InstructionContext(const isa::Machine& machine) : core(machine) {}

  isa::Core core;
  std::vector<AlignedBuffer> buffers;
  std::array<std::uint8_t*, isa::register_count> registers{};
};

class InstructionEngine final : public Engine {
 public:
  InstructionEngine(const xmodel::Graph& graph, const std::vector<std::string>& outputs)
      : program_(program_of(graph.root.children.at(0))), places_(places_of(graph, outputs)) {
    const auto& subgraph = graph.root.children.at(0);
    sizes_ = sizes_of(subgraph, places_);
    for (auto& [name, bytes] :
         xmodel::attr_or<std::map<std::string, xmodel::Bytes>>(subgraph.attrs, "reg_id_to_parameter_value", {})) {
      const auto reg = number_of(name);
      sizes_[reg] = std::max(sizes_[reg], bytes.size());
      contents_[reg] = bytes;
    }
    isa::check_registers(program_, sizes_);
    for (const auto& operation : program_.operations) {
      const auto* transfer = std::get_if<isa::Transfer>(&operation);
      if (transfer != nullptr && !transfer->is_load) written_[static_cast<std::size_t>(transfer->reg)] = true;
    }
    for (const auto& place : places_.inputs) {
      inputs_.push_back(place.info);
      written_[static_cast<std::size_t>(place.reg)] = true;
    }
    for (const auto& place : places_.outputs) outputs_.push_back(place.info);
  }

  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Kernels kernels() const override { return Kernels::isa; }

  // Registers that nothing writes are shared by all contexts.
  std::unique_ptr<Context> make_context() const override {
    auto context = std::make_unique<InstructionContext>(program_.machine);
    for (const auto& [reg, size] : sizes_) {
      const auto number = static_cast<std::size_t>(reg);
      const auto content = contents_.find(reg);
      if (content != contents_.end() && !written_[number] && content->second.size() == size) {
        // Never written to: the engine only loads from it.
        context->registers[number] = reinterpret_cast<std::uint8_t*>(const_cast<char*>(content->second.data()));
        continue;
      }
      auto& buffer = context->buffers.emplace_back(size);
      auto* bytes = reinterpret_cast<std::uint8_t*>(buffer.data());
      std::memset(bytes, 0, size);
      if (content != contents_.end()) std::memcpy(bytes, content->second.data(), content->second.size());
      context->registers[number] = bytes;
    }
    return context;
  }

  void run(Context& context, const void* const* inputs, void* const* outputs) const override {
    run_timed(context, inputs, outputs, nullptr);
  }

  // One for each instruction, named by its number; layers are told from them in Python (nerone.instructions.layers).
  std::vector<StepInfo> steps() const override {
    std::vector<StepInfo> infos;
    for (std::size_t i = 0; i < program_.stream.size(); ++i) {
      infos.push_back({std::to_string(i), program_.stream[i].format->name, name_of(Kernels::isa), 0, 0, 0});
    }
    return infos;
  }

  void run_timed(Context& base, const void* const* inputs, void* const* outputs, double* seconds) const override {
    auto& context = static_cast<InstructionContext&>(base);
    for (std::size_t i = 0; i < places_.inputs.size(); ++i) {
      places_.inputs[i].copy_in(inputs[i], context.registers[static_cast<std::size_t>(places_.inputs[i].reg)]);
    }
    StopWatch watch(seconds);
    context.core.run(program_, context.registers, [&watch] { watch.split(); });
    for (std::size_t i = 0; i < places_.outputs.size(); ++i) {
      places_.outputs[i].copy_out(context.registers[static_cast<std::size_t>(places_.outputs[i].reg)], outputs[i]);
    }
  }

  std::size_t arena_bytes() const override {
    std::size_t bytes = 0;
    for (const auto& [reg, size] : sizes_) bytes += written_[static_cast<std::size_t>(reg)] ? size : 0;
    return bytes + static_cast<std::size_t>(program_.machine.bank_count()) * isa::bank_rows *
                       static_cast<std::size_t>(program_.machine.channels);
  }

 private:
  isa::Program program_;
  RegisterPlaces places_;
  std::map<int, std::size_t> sizes_;
  std::map<int, xmodel::Bytes> contents_;
  std::array<bool, isa::register_count> written_{};
  std::vector<TensorInfo> inputs_, outputs_;
};

}  // namespace

std::shared_ptr<const Engine> make_instruction_engine(const xmodel::Graph& graph, const EngineOptions& options) {
  if (graph.root.children.empty() || graph.root.children[0].attrs.count("mc_code") == 0) {
    throw ConfigurationError(
        "kernels 'isa' run instructions, and the model has none; compile it for a board, or use auto");
  }
  return std::make_shared<InstructionEngine>(graph, options.outputs);
}

}  // namespace nerone::softdpu
