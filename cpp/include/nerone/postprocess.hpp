#pragma once

#include <memory>
#include <nerone/export.hpp>
#include <nerone/tensor.hpp>

// The reduction of a network's output: the last axis holds the channels (classes).
namespace nerone::postprocess {

enum class Kind {
  classes,        // argmax: the lowest channel with the greatest value
  probabilities,  // softmax, float32
  real,           // integer * 2^-fix_point, float32
  raw             // as it is
};

// Reduces outputs of one description. Immutable, so that threads may share it; run allocates nothing.
class NERONE_EXPORT Postprocess {
 public:
  // `output`: int8 with a fix point, or float32. DtypeError, ShapeError, ConfigurationError.
  Postprocess(Kind kind, const TensorInfo& output);
  ~Postprocess();
  Postprocess(Postprocess&&) noexcept;
  Postprocess& operator=(Postprocess&&) noexcept;

  Kind kind() const;
  // Of the result: without the last axis for classes (uint8, or uint16 above 256 channels), else the output's shape.
  const TensorInfo& result() const;

  // Both views contiguous, the first as described, the second as result() says; ShapeError, DtypeError.
  void run(const TensorView& output, const TensorView& result) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nerone::postprocess
