// A board's power sensors, on files in their place.
#include "run/meter.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace nerone::run {
namespace {

namespace fs = std::filesystem;

class MeterFiles : public testing::Test {
 protected:
  MeterFiles() { fs::create_directories(root_ / "class/hwmon"); }
  ~MeterFiles() override { fs::remove_all(root_); }

  void add(const std::string& folder, const std::map<std::string, std::string>& files) {
    fs::create_directories(root_ / "class/hwmon" / folder);
    for (const auto& [name, text] : files) std::ofstream(root_ / "class/hwmon" / folder / name) << text << "\n";
  }
  double watts() { return read_watts(find_sensors(root_)); }

  fs::path root_ = fs::temp_directory_path() / ("nerone-meter-" + std::to_string(getpid()));
};

TEST_F(MeterFiles, NoSensorGivesNothing) {
  add("hwmon0", {{"name", "cpu_thermal"}, {"temp1_input", "40000"}});
  EXPECT_TRUE(find_sensors(root_).empty());
  Meter meter(find_sensors(root_));
  EXPECT_FALSE(meter.watts().has_value());
}

TEST_F(MeterFiles, RailsAreSummed) {
  add("hwmon0", {{"name", "ina226_u76"}, {"power1_input", "1500000"}});
  add("hwmon1", {{"name", "ina226_u77"}, {"in1_input", "2"}, {"in2_input", "1000"}, {"curr1_input", "250"}});
  EXPECT_DOUBLE_EQ(watts(), 1.75);
}

TEST_F(MeterFiles, TheModulesOwnSensorIsTakenAlone) {
  add("hwmon0", {{"name", "ina226_u76"}, {"power1_input", "1500000"}});
  add("hwmon1", {{"name", "ina260_u14"}, {"power1_input", "9000000"}});
  EXPECT_DOUBLE_EQ(watts(), 9.0);
}

TEST_F(MeterFiles, ASensorThatCannotBeReadIsLeftOut) {
  add("hwmon0", {{"name", "ina226_u76"}, {"power1_input", "none"}});
  EXPECT_TRUE(find_sensors(root_).empty());
}

TEST_F(MeterFiles, TheMeanIsOfWhatWasSampled) {
  add("hwmon0", {{"name", "ina260_u14"}, {"power1_input", "5000000"}});
  Meter meter(find_sensors(root_));
  while (!meter.watts()) usleep(1000);
  EXPECT_DOUBLE_EQ(*meter.watts(), 5.0);
}

}  // namespace
}  // namespace nerone::run
