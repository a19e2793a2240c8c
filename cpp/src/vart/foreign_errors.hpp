#pragma once

#include <exception>
#include <nerone/error.hpp>
#include <string>

namespace nerone::vart {

// Runs code of a runner library; whatever it throws (UniLog's ErrorCode is no std::exception) leaves as an Error.
template <typename Call>
auto translate_errors(const std::string& doing, Call&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw DeviceError(doing + " failed: " + error.what());
  } catch (...) {
    throw DeviceError(doing + " failed inside the runner library, which gave no reason; its log on stderr may");
  }
}

}  // namespace nerone::vart
