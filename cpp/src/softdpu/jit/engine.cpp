#include "softdpu/jit/engine.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/aligned_buffer.hpp"
#include "softdpu/jit/team.hpp"
#include "softdpu/step_info.hpp"

namespace nerone::softdpu::jit {
namespace {

struct JitContext final : Context {
  explicit JitContext(int threads) : team(std::make_unique<Team>(threads)) {}
  ~JitContext() override {
    if (team->threads() > 1 && !team->is_here()) static_cast<void>(team.release());
  }

  std::unique_ptr<Team> team;    // in a forked child it is left as it is: its threads seem to wait for ever
  AlignedBuffer arena, scratch;  // scratch memory of one thread behind the other's
  std::vector<const void*> operands;
  std::vector<std::unique_ptr<KernelState>> states;  // per task
};

// A buffer's memory was others' before: its pads are written anew by the task that begins it.
void begin_with_pads(Task& task, const Memory& memory, int root) {
  const auto layout = memory.layout_of(root);
  if (layout.pads.top == 0 && layout.pads.bottom == 0 && layout.pads.side == 0) return;
  task.prepare = [layout, offset = memory.offset_of(root), gaps = memory.has_padded_parts(root),
                  before = std::move(task.prepare)](const Frame& frame) {
    if (before) before(frame);
    fill_outer_rows(layout, frame.arena + offset);
    if (gaps) fill_gaps(layout, frame.arena + offset);
  };
}

}  // namespace

Kernels kernels_of(Isa isa) {
  switch (isa) {
    case Isa::avx512_vnni:
      return Kernels::jit;
    case Isa::avx_vnni:
      return Kernels::jit_avx_vnni;
    case Isa::avx2:
      return Kernels::jit_avx2;
  }
  return Kernels::jit;
}

std::optional<Isa> isa_of(Kernels kernels) {
  for (const auto isa : {Isa::avx512_vnni, Isa::avx_vnni, Isa::avx2}) {
    if (kernels_of(isa) == kernels) return isa;
  }
  return std::nullopt;
}

JitEngine::JitEngine(Isa isa, const Program& program, const KernelMaker& make_kernel, int threads)
    : kernels_(kernels_of(isa)), threads_(threads), inputs_(program.input_infos()), outputs_(program.output_infos()) {
  auto graph = build_graph(program, isa);
  fuse(isa, graph);
  const Memory memory(graph);
  const NeverNegative never_negative(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto& node = graph.nodes[i];
    tasks_.push_back(make_task(graph, memory, node, {isa, make_kernel, never_negative}));
    for (const int root : memory.begun_by(static_cast<int>(i))) begin_with_pads(tasks_.back(), memory, root);
    scratch_bytes_ = std::max(scratch_bytes_, tasks_.back().scratch_bytes);
    most_operands_ = std::max(most_operands_, node.inputs.size());
  }
  scratch_bytes_ =
      (scratch_bytes_ + AlignedBuffer::alignment - 1) / AlignedBuffer::alignment * AlignedBuffer::alignment;
  arena_bytes_ = memory.arena_bytes();
  live_bytes_ = memory.live_bytes();
}

std::unique_ptr<Context> JitEngine::make_context() const {
  auto context = std::make_unique<JitContext>(threads_);
  context->arena = AlignedBuffer(arena_bytes_);
  context->scratch = AlignedBuffer(static_cast<std::size_t>(threads_) * scratch_bytes_);
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
  StopWatch watch(seconds);
  const auto work = [&](int thread) {
    std::uint8_t* const scratch = context.scratch.data() + static_cast<std::size_t>(thread) * scratch_bytes_;
    Frame frame{context.arena.data(), inputs, outputs, context.operands.data(), scratch, nullptr, {thread, threads_}};
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      const auto& task = tasks_[i];
      frame.state = context.states[i].get();
      if (task.prepare) {
        if (thread == 0) task.prepare(frame);
        context.team->wait_for_all();
      }
      if (task.is_shared || thread == 0) task.run(frame);
      context.team->wait_for_all();
      if (thread == 0) watch.split();
    }
  };
  context.team->run(std::ref(work));
}

std::shared_ptr<const Engine> make_jit_engine(Isa isa, const Program& program, const KernelMaker& make_kernel,
                                              int threads) {
  if (!is_supported(isa)) return nullptr;
  return std::make_shared<JitEngine>(isa, program, make_kernel, threads);
}

}  // namespace nerone::softdpu::jit
