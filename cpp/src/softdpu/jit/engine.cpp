#include "softdpu/jit/engine.hpp"

#include <algorithm>

#include "base/aligned_buffer.hpp"
#include "softdpu/step_info.hpp"

namespace nerone::softdpu::jit {
namespace {

struct JitContext final : Context {
  AlignedBuffer arena, scratch;
  std::vector<const void*> operands;
  std::vector<std::unique_ptr<KernelState>> states;  // per task
};

// Writes the pads above and below a buffer whose memory others used before.
void add_pads(std::vector<Task>& tasks, const Memory& memory, int root, const std::string& name) {
  const auto layout = memory.layout_of(root);
  if (layout.pads.top == 0 && layout.pads.bottom == 0 && layout.pads.side == 0) return;
  const std::size_t offset = memory.offset_of(root);
  const bool gaps = memory.has_padded_parts(root);
  const std::int64_t bytes = (layout.pads.top + layout.pads.bottom) * layout.row_bytes();
  const auto run = [layout, offset, gaps](const Frame& frame) {
    fill_outer_rows(layout, frame.arena + offset);
    if (gaps) fill_gaps(layout, frame.arena + offset);
  };
  tasks.push_back({{name, "pads", "memset", 0, bytes}, run, nullptr});
}

}  // namespace

bool is_supported() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx512vnni") != 0;
}

JitEngine::JitEngine(const Program& program, const KernelMaker& make_kernel)
    : inputs_(program.input_infos()), outputs_(program.output_infos()) {
  auto graph = build_graph(program);
  fuse(graph);
  const Memory memory(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto& node = graph.nodes[i];
    for (const int root : memory.begun_by(static_cast<int>(i))) add_pads(tasks_, memory, root, node.name);
    tasks_.push_back(make_task(graph, memory, node, make_kernel));
    if (const auto& kernel = tasks_.back().step_kernel) {
      scratch_bytes_ = std::max(scratch_bytes_, kernel->scratch_bytes());
    }
    most_operands_ = std::max(most_operands_, node.inputs.size());
  }
  arena_bytes_ = memory.arena_bytes();
  live_bytes_ = memory.live_bytes();
}

std::unique_ptr<Context> JitEngine::make_context() const {
  auto context = std::make_unique<JitContext>();
  context->arena = AlignedBuffer(arena_bytes_);
  context->scratch = AlignedBuffer(scratch_bytes_);
  context->operands.resize(most_operands_);
  for (const auto& task : tasks_) {
    context->states.push_back(task.step_kernel ? task.step_kernel->make_state() : nullptr);
  }
  return context;
}

std::vector<StepInfo> JitEngine::steps() const {
  std::vector<StepInfo> infos;
  for (const auto& task : tasks_) infos.push_back(task.info);
  return infos;
}

void JitEngine::run(Context& context, const void* const* inputs, void* const* outputs) const {
  run_timed(context, inputs, outputs, nullptr);
}

void JitEngine::run_timed(Context& base, const void* const* inputs, void* const* outputs, double* seconds) const {
  auto& context = static_cast<JitContext&>(base);
  Frame frame{context.arena.data(), inputs, outputs, context.operands.data(), context.scratch.data(), nullptr};
  StopWatch watch(seconds);
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    frame.state = context.states[i].get();
    tasks_[i].run(frame);
    watch.split();
  }
}

std::shared_ptr<const Engine> make_jit_engine(const Program& program, const KernelMaker& make_kernel) {
  if (!is_supported()) return nullptr;
  return std::make_shared<JitEngine>(program, make_kernel);
}

}  // namespace nerone::softdpu::jit
