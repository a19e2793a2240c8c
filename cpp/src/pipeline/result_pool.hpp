#pragma once

#include <memory>
#include <mutex>
#include <nerone/pipeline.hpp>
#include <nerone/process.hpp>
#include <vector>

#include "base/aligned_buffer.hpp"

namespace nerone::pipeline {

struct Result::Buffer {
  std::vector<AlignedBuffer> memory;
  std::vector<TensorView> outputs;
};

// Result buffers that nobody holds. Outlives the pipeline while results are held.
class ResultPool : public std::enable_shared_from_this<ResultPool> {
 public:
  explicit ResultPool(std::vector<TensorInfo> infos) : infos_(std::move(infos)) {}

  const std::vector<TensorInfo>& infos() const { return infos_; }
  void prepare(std::size_t buffers);  // so that as many can be held before acquire allocates
  Result acquire();                   // allocates only when all buffers are held
  void give_back(std::unique_ptr<Result::Buffer> buffer);

 private:
  std::unique_ptr<Result::Buffer> new_buffer() const;

  const Process process_;
  std::vector<TensorInfo> infos_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Result::Buffer>> free_;
};

}  // namespace nerone::pipeline
