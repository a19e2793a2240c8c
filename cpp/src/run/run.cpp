#include "run/run.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <nerone/error.hpp>
#include <nerone/pipeline.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "run/meter.hpp"
#include "run/output.hpp"
#include "run/report.hpp"
#include "run/source.hpp"
#include "run/stop.hpp"

namespace nerone::run {

namespace {

// A frame's pixels and what refers to them.
struct HeldFrame {
  Picture picture;
  std::shared_ptr<const preprocess::Statistics> statistics;
  pipeline::Images images;
};

pipeline::Frame hold(SourceFrame frame, const std::optional<preprocess::Spacing>& spacing_mm) {
  auto held = std::make_shared<HeldFrame>();
  held->picture = std::move(frame.picture);
  held->statistics = std::move(frame.statistics);
  held->images.push_back({{held->picture.view()}, spacing_mm, held->statistics.get()});
  return {held, &held->images};
}

// Takes results in the order of their frames, beside the thread that reads and submits.
class Writer {
 public:
  // At most `limit` frames are on their way.
  Writer(Output& output, std::size_t limit, bool skip_bad)
      : output_(output), limit_(limit), skip_bad_(skip_bad), thread_([this] { take(); }) {}
  ~Writer() { end(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void add(Origin origin, pipeline::Ticket ticket) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < limit_; });
    waiting_.push_back({std::move(origin), std::move(ticket)});
    changed_.notify_all();
  }
  bool failed() const { return failed_; }
  // Waits for all; throws what failed.
  void finish() {
    end();
    if (error_) std::rethrow_exception(error_);
  }
  // Frames that did not fit, and why; after finish().
  const std::vector<std::pair<std::string, std::string>>& skipped() const { return skipped_; }

 private:
  struct Waiting {
    Origin origin;
    pipeline::Ticket ticket;
  };

  void end() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  void take() {
    while (true) {
      Waiting next;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        next = std::move(waiting_.front());
        waiting_.pop_front();
      }
      changed_.notify_all();
      if (failed_) continue;  // the rest is given up
      try {
        write(next);
      } catch (...) {
        error_ = std::current_exception();
        failed_ = true;
      }
    }
  }
  void write(Waiting& next) {
    pipeline::Result result;
    try {
      result = next.ticket.wait();
    } catch (const std::exception& error) {
      if (!skip_bad_) throw Error("'" + next.origin.place + "': " + error.what());
      skipped_.emplace_back(next.origin.place, error.what());
      return;
    }
    if (result.outputs().size() != 1) {
      throw ConfigurationError("the network has " + std::to_string(result.outputs().size()) +
                               " outputs; nerone-run takes networks of one");
    }
    output_.add(next.origin, result.outputs().front());
  }

  Output& output_;
  const std::size_t limit_;
  const bool skip_bad_;
  std::vector<std::pair<std::string, std::string>> skipped_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  bool ended_ = false;
  std::exception_ptr error_;
  std::atomic<bool> failed_{false};
  std::thread thread_;
};

void submit_all(Source& source, pipeline::Pipeline& pipeline, Writer& writer, const Arguments& arguments) {
  for (std::int64_t count = 0; (arguments.frames == 0 || count < arguments.frames) && !writer.failed(); ++count) {
    auto frame = source.next();
    if (!frame) return;
    Origin origin{frame->stem, frame->place, frame->picture.height, frame->picture.width};
    auto ticket = pipeline.submit(hold(std::move(*frame), arguments.spacing_mm));
    writer.add(std::move(origin), std::move(ticket));
  }
}

void print(const std::string& text, std::FILE* stream) {
  if (std::fputs(text.c_str(), stream) < 0 || std::fflush(stream) != 0) {
    throw ConfigurationError("the report cannot be written; standard output is closed or full");
  }
}

}  // namespace

int run(const Arguments& arguments) {
  const auto bundle = Bundle::open(arguments.bundle);
  if (arguments.describe) {
    print(describe(bundle), stdout);
    return 0;
  }
  watch_signals();
  const auto source = open_source(arguments, bundle.preprocessing);
  Output output(bundle, arguments);
  pipeline::Options options;
  options.workers = arguments.threads > 0 ? arguments.threads : pipeline::default_workers(arguments.device);
  const auto kind = bundle.classification ? postprocess::Kind::probabilities : postprocess::Kind::classes;
  auto pipeline =
      pipeline::open(bundle.model_for(arguments.device.device), bundle.preprocessing, kind, arguments.device, options);

  Report report;
  report.workers = options.workers;
  {
    Meter meter;
    Writer writer(output, pipeline.in_flight_limit(), arguments.skip_bad);
    std::exception_ptr error;
    try {
      submit_all(*source, pipeline, writer, arguments);
    } catch (...) {
      error = std::current_exception();
    }
    writer.finish();  // what was accepted is still done
    pipeline.close();
    output.finish();
    if (error) std::rethrow_exception(error);
    report.watts = meter.watts();
    report.skipped = writer.skipped();
  }
  report.stats = pipeline.stats();
  report.interrupted = stop_requested() && !source->is_live();
  report.files = output.files();
  report.skipped.insert(report.skipped.end(), source->skipped().begin(), source->skipped().end());
  if (report.stats.completed == 0 && !report.skipped.empty()) {
    throw ConfigurationError("nothing in '" + arguments.input + "' could be run: " + report.skipped.back().second);
  }
  print(arguments.json ? json_of(report, bundle, arguments) : text_of(report),
        arguments.output == "-" ? stderr : stdout);
  return report.interrupted || !report.skipped.empty() ? 1 : 0;
}

}  // namespace nerone::run
