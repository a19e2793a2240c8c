#include "run/stop.hpp"

#include <poll.h>

#include <csignal>

namespace nerone::run {

namespace {

volatile std::sig_atomic_t requested = 0;

constexpr int look_every_ms = 100;

}  // namespace

void watch_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { requested = 1; };
  action.sa_flags = SA_RESETHAND;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() { return requested != 0; }

bool wait_readable(int descriptor) {
  while (!stop_requested()) {
    pollfd waiting = {descriptor, POLLIN, 0};
    if (poll(&waiting, 1, look_every_ms) > 0) return true;
  }
  return false;
}

}  // namespace nerone::run
