#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <nerone/device.hpp>
#include <nerone/export.hpp>
#include <nerone/postprocess.hpp>
#include <nerone/preprocess.hpp>
#include <nerone/tensor.hpp>
#include <vector>

// Frames go through a bounded queue to worker threads, each of which owns a runner and its buffers. Tickets collect
// their results, and a counter of the frames that are done serves whoever waits for any of them. All functions may be
// called from any thread. Timeouts are in milliseconds: negative waits for ever, 0 does not wait.
namespace nerone::pipeline {

// The caller's images, one per input of the network, mostly one. Shared so that submitting copies nothing; whatever
// owns the pixels must live as long as they.
using Images = std::vector<preprocess::Image>;
using Frame = std::shared_ptr<const Images>;

// What one worker thread does with frames, on a runner of its own. Only its thread calls it. An exception of preprocess
// or postprocess belongs to that frame, one of execute to all frames of the job; a TimeoutError of execute says that
// the device may still write, and the worker is replaced.
class NERONE_EXPORT Worker {
 public:
  virtual ~Worker() = default;

  virtual int batch() const { return 1; }                          // frames that one job takes
  virtual std::vector<TensorInfo> inputs() const { return {}; }    // of the network, for callers that ask
  virtual const std::vector<TensorInfo>& results() const = 0;      // of one frame; the same for all workers
  virtual void preprocess(const Images& frame, int position) = 0;  // into the runner's input buffers
  virtual void execute() = 0;
  virtual void postprocess(int position, const std::vector<TensorView>& results) = 0;  // out of its output buffers
};
// Called once per worker, later again from any thread to replace one whose device does not answer.
using WorkerFactory = std::function<std::unique_ptr<Worker>()>;

struct Options {
  int workers = 1;
  int queue_size = 8;              // frames that wait for a worker; when full, submitting waits
  int device_timeout_ms = 10'000;  // a job that takes longer is given up, its worker replaced; 0: never
  std::vector<int> pin_to;         // CPU cores for the workers, taken in turn; empty: the system chooses
};

class ResultPool;

// One frame's results, in 64-byte aligned memory that the pipeline uses again when this is destroyed.
class NERONE_EXPORT Result {
 public:
  Result() noexcept;
  Result(Result&&) noexcept;
  Result& operator=(Result&&) noexcept;
  ~Result();

  explicit operator bool() const { return buffer_ != nullptr; }
  const std::vector<TensorView>& outputs() const;

 private:
  friend class ResultPool;
  struct Buffer;
  Result(std::shared_ptr<ResultPool> pool, std::unique_ptr<Buffer> buffer);
  std::shared_ptr<ResultPool> pool_;
  std::unique_ptr<Buffer> buffer_;
};

class Completions;
struct Job;

// A submitted frame's future. Destroying it gives the result up.
class NERONE_EXPORT Ticket {
 public:
  Ticket() = default;
  Ticket(Ticket&&) noexcept;
  Ticket& operator=(Ticket&&) noexcept;
  ~Ticket();

  bool ready() const;
  // Once per ticket: the result, or the frame's own error thrown. TimeoutError leaves the ticket as it is.
  Result wait(int timeout_ms = -1);

 private:
  friend class Pipeline;
  Ticket(std::shared_ptr<Completions> completions, Job* job) : completions_(std::move(completions)), job_(job) {}
  std::shared_ptr<Completions> completions_;
  Job* job_ = nullptr;
};

struct Durations {
  double mean_ms = 0, p50_ms = 0, p90_ms = 0, p99_ms = 0, max_ms = 0;  // percentiles within 2 %
};

struct Stats {
  std::uint64_t submitted = 0, completed = 0, failed = 0;
  std::uint64_t workers_replaced = 0;
  double elapsed_s = 0;  // from the first submission to the last completion
  double fps = 0;        // completed over elapsed
  Durations latency, queue, preprocess, device, postprocess;
};

class NERONE_EXPORT Pipeline {
 public:
  // Creates the workers one after the other; what a factory throws is thrown here. ConfigurationError for numbers that
  // cannot work.
  Pipeline(WorkerFactory factory, const Options& options);
  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) noexcept;
  ~Pipeline();  // close(false) without an error

  // A frame whose result the ticket collects. TimeoutError while the queue stays full, QueueClosedError after close,
  // DeviceError when no worker is left.
  Ticket submit(Frame frame, int timeout_ms = -1);

  // Frames that are done, with a result or an error, since the pipeline was opened.
  std::uint64_t done() const;
  // Waits until more than `seen` frames are done; false where the time is over before.
  bool wait_past(std::uint64_t seen, int timeout_ms = -1) const;

  // Waits until every accepted frame is done. TimeoutError.
  void drain(int timeout_ms = -1);
  // Accepts no more frames. With `finish`, those accepted are still done, otherwise those that wait fail with
  // QueueClosedError. Results that are there can still be collected. TimeoutError when workers are still busy.
  void close(bool finish = true, int timeout_ms = -1);

  const std::vector<TensorInfo>& inputs() const;  // of the network, as far as its workers tell
  const std::vector<TensorInfo>& results() const;
  std::size_t in_flight_limit() const;  // frames that can wait and be worked on at once
  Stats stats() const;
  void reset_stats();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A pipeline of a compiled model: each image of a frame goes through `steps` straight into the runner's memory, and
// each output comes out reduced as `kind` says. With options.workers 0 their number is chosen by default_workers.
// ModelError, ConfigurationError, DeviceError, DtypeError, ShapeError.
NERONE_EXPORT Pipeline open(const std::filesystem::path& model, const preprocess::Steps& steps, postprocess::Kind kind,
                            const DeviceOptions& device = {}, Options options = {});

// The same with steps of its own for each input, in the model's order.
NERONE_EXPORT Pipeline open_per_input(const std::filesystem::path& model, const std::vector<preprocess::Steps>& steps,
                                      postprocess::Kind kind, const DeviceOptions& device = {}, Options options = {});

// As many as the cores that this process may use for the software DPU, two per core of a device that works beside it.
NERONE_EXPORT int default_workers(const DeviceOptions& device);

}  // namespace nerone::pipeline
