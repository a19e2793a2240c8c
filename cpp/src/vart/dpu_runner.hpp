#pragma once

#include <cstdint>
#include <memory>
#include <nerone/device.hpp>
#include <nerone/tensor.hpp>
#include <string>
#include <vector>

#include "door/door.hpp"
#include "vart/port.hpp"
#include "xmodel/handle.hpp"

// (Not named runner.hpp: <vart/runner.hpp> would find it.)
// The device behind VART. No VART or XIR type appears in this header, and nothing that VART would end the
// process for reaches it: library, entry points, mode and attributes are checked before.
namespace nerone::vart {

struct Job {
  std::uint32_t id = 0;
};

// One runner of one DPU subgraph. A runner serves one thread at a time; several runners run in parallel, and share
// weights when they come from the same Handle. Moving it keeps the ports' memory where it is.
class Runner {
 public:
  // DeviceError where the library or device is unusable, ModelError where the device refuses the subgraph.
  static Runner create(const xmodel::Handle& model, const std::string& subgraph, const DeviceOptions& options);

  Runner(Runner&&) noexcept;
  Runner& operator=(Runner&&) noexcept;
  ~Runner();

  const std::vector<Port>& inputs() const;
  const std::vector<Port>& outputs() const;
  std::int64_t batch() const;

  // Zero copy: the caller has written into inputs()[i].images and then reads outputs()[i].images. Makes the memory
  // visible to the device and back, allocates nothing. timeout_ms < 0 waits for ever; a timeout bounds the wait for a
  // job that the device took, not the handing over (the boards' runners do all their work there).
  // DeviceError where the device reports failure, TimeoutError where it is late. After a TimeoutError the device may
  // still write: the runner must be destroyed or waited for before its memory is used again.
  void run(int timeout_ms = -1);
  Job start();
  void finish(Job job, int timeout_ms = -1);

  // The caller's own dense buffers, whole batches, in the order of inputs() and outputs(); each either of the port's
  // dtype or float32 (real value * 2^fix_point; what the device makes of a fraction is the device's). The device
  // copies. The buffers must live until finish.
  Job start_on(const std::vector<TensorView>& inputs, const std::vector<TensorView>& outputs);

 private:
  explicit Runner(std::unique_ptr<door::Runner> foreign);
  std::unique_ptr<door::Runner> foreign_;
};

}  // namespace nerone::vart
