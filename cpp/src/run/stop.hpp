#pragma once

namespace nerone::run {

// From here on Ctrl-C and SIGTERM ask to stop; the second time they end the process. Writing to a closed pipe is an
// error of that write.
void watch_signals();
bool stop_requested();

// Waits until the file can be read, or until a stop is requested: false.
bool wait_readable(int descriptor);

}  // namespace nerone::run
