#pragma once

#include <nerone/export.hpp>
#include <stdexcept>
#include <string>

namespace nerone {

// The one error root. A message says what, what was got, what was expected, and what to do.
class NERONE_EXPORT Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class NERONE_EXPORT ShapeError : public Error {
 public:
  using Error::Error;
};

class NERONE_EXPORT DtypeError : public Error {
 public:
  using Error::Error;
};

// A model file, or a model, that cannot be used: damaged, unsupported op, other DPU family.
class NERONE_EXPORT ModelError : public Error {
 public:
  using Error::Error;
};

// The device, its runner library or its driver failed or is absent.
class NERONE_EXPORT DeviceError : public Error {
 public:
  using Error::Error;
};

class NERONE_EXPORT TimeoutError : public Error {
 public:
  using Error::Error;
};

class NERONE_EXPORT QueueClosedError : public Error {
 public:
  using Error::Error;
};

// A setting of the caller's that cannot work.
class NERONE_EXPORT ConfigurationError : public Error {
 public:
  using Error::Error;
};

}  // namespace nerone
