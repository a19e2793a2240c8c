#pragma once

// From the steps of a program to nodes on packed tensors.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "softdpu/jit/graph.hpp"

namespace nerone::softdpu::jit {

class GraphBuilder {
 public:
  GraphBuilder(const Program& program, Isa isa);
  TensorGraph build();

 private:
  // Each returns false where no kernel on packed tensors covers the step.
  bool lower(const Step& step);
  bool lower_step(const Step& step, const Conv& whole);
  bool lower_step(const Step& step, const HardSigmoid& sigmoid);
  bool lower_step(const Step& step, const Pool& pool);
  bool lower_step(const Step& step, const Eltwise& eltwise);
  bool lower_step(const Step& step, const Concat& concat);
  bool lower_step(const Step& step, const Upsample& upsample);
  bool lower_step(const Step& step, const Pad& pad);
  bool lower_step(const Step& step, const Copy& copy);

  bool lower_conv(const Step& step, const Conv& conv);
  bool lower_max(const Step& step, const Pool& pool);
  bool lower_average(const Step& step, const Pool& pool);
  bool lower_sum(const Step& step, const Eltwise& eltwise, const ByteBounds& bounds);
  bool lower_product(const Step& step, const Eltwise& eltwise, const ByteBounds& bounds);
  void add_table(const Step& step, const ByteTable& table);

  void add_dense_step(const Step& step);
  void bind_output(std::size_t value, int output);
  // The pixels of a value that a strided convolution reads.
  int thinned(std::size_t value, const Conv& conv);
  bool lower_unfolded(const Step& step, const Conv& conv);
  void add_conv(const Step& step, const Conv& conv, int input);
  // Puts a concatenation's input into place: as a part of it, or by a copy.
  void place(const Step& step, int input, int shift, int whole, int first_group);

  int requantized(const Step& step, int input, int shift);

  int add_dense(std::size_t value);
  int add_packed(const Extents& extents, ChannelMap channels);
  int add_node(const std::string& name, Work work, std::vector<int> inputs, int output);
  Tensor& tensor(int index);
  int dense(std::size_t value);                           // the value's dense tensor, unpacked where it must be
  int packed(std::size_t value);                          // the value's packed tensor, packed where it must be
  std::optional<Extents> image(std::size_t value) const;  // of an int8 image, batch 1

  const Program& program_;
  Isa isa_;
  TensorGraph graph_;
  std::vector<int> dense_, packed_;  // tensor of each value
  // Of a value without the rows and columns between the steps.
  std::map<std::tuple<std::size_t, int, int>, int> thinned_;
};

}  // namespace nerone::softdpu::jit
