#include "softdpu/plugin/simulated_device.hpp"

#include <algorithm>
#include <map>
#include <thread>

namespace nerone::softdpu {

namespace {

// Longer than the kernel's timer slack of 50 us, so that the sleep ends before the job does.
constexpr std::chrono::microseconds spin_time{80};

void wait_until(SimulatedDevice::Clock::time_point end) {
  std::this_thread::sleep_until(end - spin_time);
  while (SimulatedDevice::Clock::now() < end) std::this_thread::yield();
}

}  // namespace

std::shared_ptr<SimulatedDevice> SimulatedDevice::shared(int cores) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<SimulatedDevice>> devices;
  const std::lock_guard lock(mutex);
  auto device = devices[cores].lock();
  if (!device) devices[cores] = device = std::make_shared<SimulatedDevice>(cores);
  return device;
}

SimulatedDevice::SimulatedDevice(int cores)
    : free_since_(static_cast<std::size_t>(cores)), busy_(static_cast<std::size_t>(cores), false) {}

SimulatedDevice::Slot SimulatedDevice::acquire() {
  const auto arrival = Clock::now();
  std::unique_lock lock(mutex_);
  const auto ticket = next_ticket_++;
  const auto is_free = [this] { return std::find(busy_.begin(), busy_.end(), false); };
  turn_.wait(lock, [&] { return ticket == serving_ && is_free() != busy_.end(); });
  ++serving_;
  // Of the free cores the one that has been free longest.
  std::size_t core = static_cast<std::size_t>(is_free() - busy_.begin());
  for (std::size_t other = core; other < busy_.size(); ++other) {
    if (!busy_[other] && free_since_[other] < free_since_[core]) core = other;
  }
  busy_[core] = true;
  lock.unlock();
  turn_.notify_all();
  return {core, std::max(arrival, free_since_[core])};
}

void SimulatedDevice::release(const Slot& slot, Clock::time_point end) {
  {
    const std::lock_guard lock(mutex_);
    busy_[slot.core] = false;
    free_since_[slot.core] = end;
  }
  turn_.notify_all();
}

// Gives the core back whatever the work throws.
class SimulatedDevice::Occupation {
 public:
  explicit Occupation(SimulatedDevice& device) : device_(device), slot_(device.acquire()), end_(slot_.start) {}
  ~Occupation() { device_.release(slot_, end_); }
  Occupation(const Occupation&) = delete;
  Occupation& operator=(const Occupation&) = delete;

  void last(std::chrono::microseconds latency, const std::function<void()>& work) {
    if (work) {
      work();
      end_ = Clock::now();
    }
    end_ = std::max(end_, slot_.start + latency);
    wait_until(end_);
  }

 private:
  SimulatedDevice& device_;
  Slot slot_;
  Clock::time_point end_;
};

void SimulatedDevice::run_job(std::chrono::microseconds latency, const std::function<void()>& work) {
  Occupation(*this).last(latency, work);
}

}  // namespace nerone::softdpu
