#include "vart/dpu_runner.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <nerone/error.hpp>
#include <vart/runner_ext.hpp>

#include "vart/foreign_errors.hpp"
#include "vart/host_buffer.hpp"
#include "vart/library.hpp"
#include "xmodel/device_objects.hpp"

namespace nerone::vart {

namespace {

using Buffers = std::vector<::vart::TensorBuffer*>;
using HostBuffers = std::vector<std::unique_ptr<HostBuffer>>;

std::shared_ptr<xir::Attrs> runner_attrs(const std::string& library, const DeviceOptions& options) {
  return xmodel::make_attrs({{"mode", std::string("run")},
                             {"lib", std::map<std::string, std::string>{{"DPU", library}}},
                             {"nerone_device_cores", std::int32_t{options.cores}},
                             {"nerone_job_latency_us", std::int32_t{options.job_latency_us}},
                             {"nerone_compute", std::int32_t{options.compute ? 1 : 0}},
                             {"nerone_kernels", options.kernels}});
}

Port port_of(::vart::TensorBuffer* buffer) {
  if (buffer == nullptr || buffer->get_tensor() == nullptr) throw DeviceError("the runner gave an empty tensor buffer");
  Port port{xmodel::describe(*buffer->get_tensor()), {}};
  auto image_shape = port.info.shape;
  image_shape[0] = 1;
  std::vector<std::int32_t> index(image_shape.size(), 0);
  for (std::int64_t image = 0; image < port.info.shape[0]; ++image) {
    index[0] = static_cast<std::int32_t>(image);
    const auto [address, size_bytes] = buffer->data(index);
    auto view = TensorView::contiguous(reinterpret_cast<void*>(address), port.info.dtype, image_shape);
    const auto needed = static_cast<std::size_t>(view.element_count()) * size_of(port.info.dtype);
    if (address == 0 || size_bytes < needed) {
      throw DeviceError("the runner's buffer of tensor '" + port.info.name + "' has " + std::to_string(size_bytes) +
                        " bytes that the host can reach, image " + std::to_string(image) + " needs " +
                        std::to_string(needed));
    }
    port.images.push_back(std::move(view));
  }
  return port;
}

std::vector<Port> ports_of(const Buffers& buffers, const char* kind) {
  if (buffers.empty()) throw DeviceError(std::string("the runner has no ") + kind + " buffers");
  std::vector<Port> ports;
  for (auto* buffer : buffers) ports.push_back(port_of(buffer));
  return ports;
}

Buffers wrap(const std::vector<TensorView>& views, const std::vector<Port>& ports, const std::string& what,
             HostBuffers& owned) {
  if (views.size() != ports.size()) {
    throw ShapeError(what + std::to_string(views.size()) + " buffers, it has " + std::to_string(ports.size()));
  }
  Buffers buffers;
  for (std::size_t i = 0; i < views.size(); ++i) {
    owned.push_back(HostBuffer::create(ports[i].info, views[i]));
    buffers.push_back(owned.back().get());
  }
  return buffers;
}

std::size_t image_bytes(const Port& port) {
  return static_cast<std::size_t>(port.images.front().element_count()) * size_of(port.info.dtype);
}

}  // namespace

struct Runner::State {
  xmodel::Handle model;  // outlives the runner, which points into it
  std::shared_ptr<xir::Attrs> attrs;
  // Jobs of start_on that were not finished; a runner that is destroyed meanwhile may still write there.
  std::vector<std::pair<std::uint32_t, HostBuffers>> host_jobs;
  std::unique_ptr<::vart::Runner> runner;
  ::vart::RunnerExt* extension = nullptr;
  std::string name;
  Buffers input_buffers;
  Buffers output_buffers;
  std::vector<Port> inputs;
  std::vector<Port> outputs;

  void open(const std::string& subgraph);
  Job execute(const Buffers& in, const Buffers& out);
};

void Runner::State::open(const std::string& subgraph) {
  name = "runner of subgraph '" + subgraph + "'";
  translate_errors("creating the " + name, [&] {
    runner = ::vart::Runner::create_runner_with_attrs(model.subgraph(subgraph), attrs.get());
    extension = dynamic_cast<::vart::RunnerExt*>(runner.get());
    if (extension == nullptr) {
      throw DeviceError(name + (runner ? " is no vart::RunnerExt, it has no buffers of its own" : " was not created") +
                        "; use another runner library");
    }
    input_buffers = extension->get_inputs();
    output_buffers = extension->get_outputs();
    inputs = ports_of(input_buffers, "input");
    outputs = ports_of(output_buffers, "output");
  });
}

Job Runner::State::execute(const Buffers& in, const Buffers& out) {
  const auto [id, status] = runner->execute_async(in, out);
  if (status != 0) throw DeviceError(name + " refused a job with status " + std::to_string(status));
  return {id};
}

Runner::Runner(std::unique_ptr<State> state) : state_(std::move(state)) {}
Runner::Runner(Runner&&) noexcept = default;
Runner& Runner::operator=(Runner&&) noexcept = default;
Runner::~Runner() = default;

Runner Runner::create(const xmodel::Handle& model, const std::string& subgraph, const DeviceOptions& options) {
  for (const auto& child : model.graph().root.children) {
    if (child.name != subgraph) continue;
    check_subgraph(child);
    const auto library = Library::open(child, options).enter();
    auto state =
        std::make_unique<State>(State{model, runner_attrs(library, options), {}, nullptr, nullptr, {}, {}, {}, {}, {}});
    state->open(subgraph);
    return Runner(std::move(state));
  }
  throw ModelError("the model has no subgraph '" + subgraph + "'");
}

const std::vector<Port>& Runner::inputs() const { return state_->inputs; }
const std::vector<Port>& Runner::outputs() const { return state_->outputs; }
std::int64_t Runner::batch() const { return state_->inputs.front().info.shape[0]; }

Job Runner::start() {
  auto& state = *state_;
  return translate_errors(state.name, [&] {
    for (std::size_t i = 0; i < state.inputs.size(); ++i) {
      state.input_buffers[i]->sync_for_write(0, image_bytes(state.inputs[i]));
    }
    return state.execute(state.input_buffers, state.output_buffers);
  });
}

Job Runner::start_on(const std::vector<TensorView>& inputs, const std::vector<TensorView>& outputs) {
  auto& state = *state_;
  return translate_errors(state.name, [&] {
    HostBuffers owned;
    const auto in = wrap(inputs, state.inputs, state.name + " was given inputs: ", owned);
    const auto out = wrap(outputs, state.outputs, state.name + " was given outputs: ", owned);
    const auto job = state.execute(in, out);
    state.host_jobs.emplace_back(job.id, std::move(owned));
    return job;
  });
}

void Runner::finish(Job job, int timeout_ms) {
  auto& state = *state_;
  translate_errors(state.name, [&] {
    const auto begin = std::chrono::steady_clock::now();
    const int status = state.runner->wait(static_cast<int>(job.id), timeout_ms);
    if (status != 0) {
      // VART's status does not tell a late job from a failed one; the clock does.
      if (timeout_ms >= 0 && std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(timeout_ms)) {
        throw TimeoutError(state.name + " did not finish within " + std::to_string(timeout_ms) + " ms");
      }
      throw DeviceError(state.name + " failed with status " + std::to_string(status));
    }
    const auto host_job = std::find_if(state.host_jobs.begin(), state.host_jobs.end(),
                                       [job](const auto& entry) { return entry.first == job.id; });
    if (host_job != state.host_jobs.end()) {
      state.host_jobs.erase(host_job);
      return;
    }
    for (std::size_t i = 0; i < state.outputs.size(); ++i) {
      state.output_buffers[i]->sync_for_read(0, image_bytes(state.outputs[i]));
    }
  });
}

void Runner::run(int timeout_ms) { finish(start(), timeout_ms); }

}  // namespace nerone::vart
