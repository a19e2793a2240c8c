#pragma once

#include <unistd.h>

#include <nerone/error.hpp>
#include <string>

namespace nerone {

// The process that made an object with threads. A forked child has a copy of the object, but none of the threads, and
// its locks may be held for ever: there it may only be left alone.
class Process {
 public:
  bool is_this() const { return ::getpid() == id_; }

  // DeviceError in a forked child.
  void require(const char* what) const {
    if (is_this()) return;
    throw DeviceError(std::string("the ") + what + " was opened by process " + std::to_string(id_) +
                      ", a forked child cannot use it; open another one in the child, or start it with spawn");
  }

 private:
  ::pid_t id_ = ::getpid();
};

}  // namespace nerone
