#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nerone/cores.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace nerone {

namespace {

namespace fs = std::filesystem;

int cores_of_affinity() {
  const int all = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  // More than any kernel is built for.
  constexpr std::size_t most_cores = 1 << 16;
  std::vector<::cpu_set_t> set(most_cores / CPU_SETSIZE);
  const auto bytes = set.size() * sizeof(::cpu_set_t);
  if (::sched_getaffinity(0, bytes, set.data()) != 0) return all;
  return std::max(1, CPU_COUNT_S(bytes, set.data()));
}

std::optional<double> number_in(const fs::path& file) {
  std::ifstream stream(file);
  double number = 0;
  return stream >> number ? std::optional(number) : std::nullopt;
}

// Version 2: "max 100000", or the quota and the period.
std::optional<double> quota_of(const fs::path& folder) {
  std::ifstream stream(folder / "cpu.max");
  double quota = 0, period = 0;
  if (stream >> quota >> period && quota > 0 && period > 0) return quota / period;
  const auto old_quota = number_in(folder / "cpu.cfs_quota_us"), old_period = number_in(folder / "cpu.cfs_period_us");
  if (old_quota && old_period && *old_quota > 0 && *old_period > 0) return *old_quota / *old_period;
  return std::nullopt;
}

// The smallest quota of a group and those above it. A container may see its group as the root of the mount.
std::optional<double> smallest_quota(const fs::path& mount, const std::string& group) {
  std::optional<double> smallest;
  auto inner = fs::path(group).relative_path().lexically_normal();
  if (!inner.empty() && *inner.begin() == "..") inner.clear();
  while (true) {
    const auto quota = quota_of(mount / inner);
    if (quota && (!smallest || *quota < *smallest)) smallest = quota;
    if (inner.empty()) return smallest;
    inner = inner.parent_path();
  }
}

std::optional<double> quota_of_process(const fs::path& root) {
  std::optional<double> smallest;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // "0::/path", or "4:cpu,cpuacct:/path"
    std::istringstream fields(line);
    std::string number, controllers, group;
    std::getline(std::getline(std::getline(fields, number, ':'), controllers, ':'), group);
    for (const char* mount :
         {"sys/fs/cgroup", "sys/fs/cgroup/unified", "sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"}) {
      const bool is_old = std::string(mount).find("/cpu") != std::string::npos;
      const bool names_cpu = ("," + controllers + ",").find(",cpu,") != std::string::npos;
      if (is_old != names_cpu) continue;
      const auto quota = smallest_quota(root / mount, group);
      if (quota && (!smallest || *quota < *smallest)) smallest = quota;
    }
  }
  return smallest;
}

}  // namespace

int usable_cores(const fs::path& root) {
  const int cores = cores_of_affinity();
  const auto quota = quota_of_process(root);
  return quota ? std::clamp(static_cast<int>(std::ceil(*quota)), 1, cores) : cores;
}

}  // namespace nerone
