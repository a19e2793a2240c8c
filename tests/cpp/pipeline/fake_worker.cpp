#include "fake_worker.hpp"

#include <nerone/error.hpp>
#include <thread>

namespace nerone::pipeline::testing {

namespace {

struct NumberedImage {
  std::int64_t number;
  Images images;
};

class FakeWorker : public Worker {
 public:
  explicit FakeWorker(FakeDevice& device)
      : device_(device), results_{{"number", {1}, DType::int64, {}}}, buffer_(static_cast<std::size_t>(device.batch)) {
    ++device_.workers_made;
  }
  ~FakeWorker() override { ++device_.workers_gone; }

  int batch() const override { return device_.batch; }
  const std::vector<TensorInfo>& results() const override { return results_; }
  void preprocess(const Images& frame, int image) override {
    if (frame.front().views.empty()) throw ShapeError("the frame is empty; give it pixels");
    buffer_[static_cast<std::size_t>(image)] = *static_cast<const std::int64_t*>(frame.front().views[0].data);
  }
  void execute() override {
    const auto job = device_.jobs++;
    if (device_.behaviour) device_.behaviour(job);
  }
  void postprocess(int image, const std::vector<TensorView>& results) override {
    *static_cast<std::int64_t*>(results[0].data) = buffer_[static_cast<std::size_t>(image)];
  }

 private:
  FakeDevice& device_;
  std::vector<TensorInfo> results_;
  std::vector<std::int64_t> buffer_;
};

}  // namespace

FakeDevice::~FakeDevice() {
  while (workers_gone < workers_made) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

WorkerFactory FakeDevice::factory() {
  return [this] { return std::make_unique<FakeWorker>(*this); };
}

Frame frame_of(std::int64_t number) {
  auto numbered = std::make_shared<NumberedImage>();
  numbered->number = number;
  numbered->images.resize(1);
  numbered->images[0].views = {TensorView::contiguous(&numbered->number, DType::int64, {1, 1})};
  return {numbered, &numbered->images};
}

std::int64_t number_in(const Result& result) { return *static_cast<const std::int64_t*>(result.outputs()[0].data); }

}  // namespace nerone::pipeline::testing
