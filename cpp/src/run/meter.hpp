#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

namespace nerone::run {

// TI INA sensors of a board through hwmon: one that measures the whole module (ina260) alone, otherwise all summed.
std::vector<std::filesystem::path> find_sensors(const std::filesystem::path& root = "/sys");
double read_watts(const std::vector<std::filesystem::path>& sensors);  // NaN where they cannot be read

// Samples the board's power while it lives.
class Meter {
 public:
  explicit Meter(std::vector<std::filesystem::path> sensors = find_sensors());
  ~Meter();
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  // The mean so far; nothing where there is no sensor.
  std::optional<double> watts();

 private:
  void sample();

  std::vector<std::filesystem::path> sensors_;
  std::atomic<bool> end_{false};
  std::atomic<double> sum_{0};
  std::atomic<int> count_{0};
  std::thread thread_;
};

}  // namespace nerone::run
