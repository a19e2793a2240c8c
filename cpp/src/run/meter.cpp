#include "run/meter.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>

namespace nerone::run {

namespace {

namespace fs = std::filesystem;

constexpr auto between = std::chrono::milliseconds(100);

double number_in(const fs::path& file) {
  std::ifstream stream(file);
  double value = 0;
  return stream >> value ? value : std::numeric_limits<double>::quiet_NaN();
}

// Power in microwatts, or millivolts times milliamperes.
double sensor_watts(const fs::path& sensor) {
  const double power = number_in(sensor / "power1_input");
  if (!std::isnan(power)) return power * 1e-6;
  // in1 is the bus voltage where there is no in2; otherwise it is the shunt's.
  const double bus = number_in(sensor / "in2_input");
  return (std::isnan(bus) ? number_in(sensor / "in1_input") : bus) * 1e-3 * number_in(sensor / "curr1_input") * 1e-3;
}

}  // namespace

std::vector<fs::path> find_sensors(const fs::path& root) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(root / "class/hwmon", error), end; !error && entry != end; entry.increment(error)) {
    std::ifstream stream(entry->path() / "name");
    std::string name;
    if (!(stream >> name) || name.rfind("ina", 0) != 0 || std::isnan(sensor_watts(entry->path()))) continue;
    if (name.rfind("ina260", 0) == 0) return {entry->path()};
    found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

double read_watts(const std::vector<fs::path>& sensors) {
  double sum = 0;
  for (const auto& sensor : sensors) sum += sensor_watts(sensor);
  return sum;
}

Meter::Meter(std::vector<fs::path> sensors) : sensors_(std::move(sensors)) {
  if (sensors_.empty()) return;
  thread_ = std::thread([this] {
    while (!end_) {
      sample();
      std::this_thread::sleep_for(between);
    }
  });
}

Meter::~Meter() {
  end_ = true;
  if (thread_.joinable()) thread_.join();
}

void Meter::sample() {
  const double watts = read_watts(sensors_);
  if (std::isnan(watts)) return;
  sum_ = sum_ + watts;
  ++count_;
}

std::optional<double> Meter::watts() { return count_ == 0 ? std::nullopt : std::optional<double>(sum_ / count_); }

}  // namespace nerone::run
