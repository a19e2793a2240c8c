#include "vart/foreign_runner.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <nerone/error.hpp>
#include <vart/runner_ext.hpp>

#include "vart/foreign_errors.hpp"
#include "vart/host_buffer.hpp"
#include "vart/port.hpp"
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
                             {"nerone_kernels", options.kernels},
                             {"nerone_threads_per_image", std::int32_t{options.threads_per_image}}});
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

class ForeignRunner final : public door::Runner {
 public:
  ForeignRunner(std::shared_ptr<door::Graph> graph, const std::string& subgraph, const std::string& library,
                const DeviceOptions& options);

  const std::vector<Port>& inputs() const override { return inputs_; }
  const std::vector<Port>& outputs() const override { return outputs_; }
  std::uint32_t start() override;
  std::uint32_t start_on(const std::vector<TensorView>& inputs, const std::vector<TensorView>& outputs) override;
  void finish(std::uint32_t job, int timeout_ms) override;

 private:
  void open(const xir::Subgraph* subgraph);
  std::uint32_t execute(const Buffers& in, const Buffers& out);

  std::shared_ptr<door::Graph> graph_;  // outlives the runner, which points into it
  std::shared_ptr<xir::Attrs> attrs_;
  std::string name_;
  // Jobs of start_on that were not finished; a runner that is destroyed meanwhile may still write there.
  std::vector<std::pair<std::uint32_t, HostBuffers>> host_jobs_;
  std::unique_ptr<::vart::Runner> runner_;
  Buffers input_buffers_;
  Buffers output_buffers_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
};

ForeignRunner::ForeignRunner(std::shared_ptr<door::Graph> graph, const std::string& subgraph,
                             const std::string& library, const DeviceOptions& options)
    : graph_(std::move(graph)), attrs_(runner_attrs(library, options)), name_("runner of subgraph '" + subgraph + "'") {
  const auto* const child = graph_->child(subgraph);
  translate_errors("creating the " + name_, [&] { open(child); });
}

void ForeignRunner::open(const xir::Subgraph* subgraph) {
  runner_ = ::vart::Runner::create_runner_with_attrs(subgraph, attrs_.get());
  auto* const extension = dynamic_cast<::vart::RunnerExt*>(runner_.get());
  if (extension == nullptr) {
    throw DeviceError(name_ + (runner_ ? " is no vart::RunnerExt, it has no buffers of its own" : " was not created") +
                      "; use another runner library");
  }
  input_buffers_ = extension->get_inputs();
  output_buffers_ = extension->get_outputs();
  inputs_ = ports_of(input_buffers_, "input");
  outputs_ = ports_of(output_buffers_, "output");
}

std::uint32_t ForeignRunner::execute(const Buffers& in, const Buffers& out) {
  const auto [id, status] = runner_->execute_async(in, out);
  if (status != 0) throw DeviceError(name_ + " refused a job with status " + std::to_string(status));
  return id;
}

std::uint32_t ForeignRunner::start() {
  return translate_errors(name_, [&] {
    for (std::size_t i = 0; i < inputs_.size(); ++i) input_buffers_[i]->sync_for_write(0, image_bytes(inputs_[i]));
    return execute(input_buffers_, output_buffers_);
  });
}

std::uint32_t ForeignRunner::start_on(const std::vector<TensorView>& inputs, const std::vector<TensorView>& outputs) {
  return translate_errors(name_, [&] {
    HostBuffers owned;
    const auto in = wrap(inputs, inputs_, name_ + " was given inputs: ", owned);
    const auto out = wrap(outputs, outputs_, name_ + " was given outputs: ", owned);
    const auto job = execute(in, out);
    host_jobs_.emplace_back(job, std::move(owned));
    return job;
  });
}

void ForeignRunner::finish(std::uint32_t job, int timeout_ms) {
  translate_errors(name_, [&] {
    const auto begin = std::chrono::steady_clock::now();
    const int status = runner_->wait(static_cast<int>(job), timeout_ms);
    if (status != 0) {
      // VART's status does not tell a late job from a failed one; the clock does.
      if (timeout_ms >= 0 && std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(timeout_ms)) {
        throw TimeoutError(name_ + " did not finish within " + std::to_string(timeout_ms) + " ms");
      }
      throw DeviceError(name_ + " failed with status " + std::to_string(status));
    }
    const auto host_job =
        std::find_if(host_jobs_.begin(), host_jobs_.end(), [job](const auto& entry) { return entry.first == job; });
    if (host_job != host_jobs_.end()) {
      host_jobs_.erase(host_job);
      return;
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) output_buffers_[i]->sync_for_read(0, image_bytes(outputs_[i]));
  });
}

}  // namespace

std::unique_ptr<door::Runner> make_foreign_runner(std::shared_ptr<door::Graph> graph, const std::string& subgraph,
                                                  const std::string& library, const DeviceOptions& options) {
  return std::make_unique<ForeignRunner>(std::move(graph), subgraph, library, options);
}

}  // namespace nerone::vart
