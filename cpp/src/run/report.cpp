#include "run/report.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "run/printable.hpp"

namespace nerone::run {

namespace {

using Json = nlohmann::ordered_json;
using namespace preprocess;

const char* name_of(Method method) {
  constexpr const char* names[] = {"nearest", "bilinear", "cubic", "area"};
  return names[static_cast<int>(method)];
}

const char* name_of(Scope scope) { return scope == Scope::volume ? "volume" : "slice"; }

Json json_of(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

struct StepJson {
  Json operator()(const Channels& s) const { return {{"step", "channels"}, {"count", s.count}, {"order", s.order}}; }
  Json operator()(const Grey& s) const { return {{"step", "grey"}, {"weights", s.weights}}; }
  Json operator()(const Clip& s) const {
    return {{"step", "clip"}, {"low", json_of(s.low)}, {"high", json_of(s.high)}};
  }
  Json operator()(const Resample& s) const {
    return {{"step", "resample"}, {"spacing_mm", s.spacing_mm}, {"method", name_of(s.method)}};
  }
  Json operator()(const Resize& s) const {
    return {{"step", "resize"}, {"height", s.height}, {"width", s.width}, {"method", name_of(s.method)}};
  }
  Json operator()(const CropOrPad& s) const {
    return {{"step", "crop_or_pad"}, {"height", s.height}, {"width", s.width}, {"value", s.value}};
  }
  Json operator()(const Window& s) const {
    return {{"step", "window"}, {"low", s.low}, {"high", s.high}, {"to", s.to}};
  }
  Json operator()(const Percentile& s) const {
    return {{"step", "percentile"}, {"low", json_of(s.low)},     {"high", s.high},
            {"to", s.to},           {"scope", name_of(s.scope)}, {"nonzero", s.nonzero}};
  }
  Json operator()(const ZScore& s) const {
    return {{"step", "z_score"}, {"scope", name_of(s.scope)}, {"nonzero", s.nonzero}};
  }
  Json operator()(const ScaleOffset& s) const {
    return {{"step", "scale_offset"}, {"scale", s.scale}, {"offset", s.offset}};
  }
};

std::string text(const Json& json) { return json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string text_of(const Report& report) {
  const auto& stats = report.stats;
  char line[256];
  std::snprintf(line, sizeof line, "%llu frames, %.1f frames/s, latency p50 %.2f ms, p99 %.2f ms, %d workers",
                static_cast<unsigned long long>(stats.completed), stats.fps, stats.latency.p50_ms, stats.latency.p99_ms,
                report.workers);
  std::string result = line;
  if (report.watts) {
    std::snprintf(line, sizeof line, ", %.2f W", *report.watts);
    result += line;
  }
  if (report.interrupted) result += ", stopped before the end";
  result += "\n";
  for (const auto& [file, reason] : report.skipped) {
    result += printable_line("left out " + file + ": " + reason) + "\n";
  }
  return result;
}

std::string json_of(const Report& report, const Bundle& bundle, const Arguments& arguments) {
  const auto& stats = report.stats;
  Json skipped = Json::array();
  for (const auto& [file, reason] : report.skipped) skipped.push_back({{"file", file}, {"reason", reason}});
  return text(
      {{"bundle", bundle.name},
       {"device", arguments.device.device},
       {"workers", report.workers},
       {"frames", stats.completed},
       {"interrupted", report.interrupted},
       {"seconds", stats.elapsed_s},
       {"fps", stats.fps},
       {"latency_ms", {{"mean", stats.latency.mean_ms}, {"p50", stats.latency.p50_ms}, {"p99", stats.latency.p99_ms}}},
       {"preprocess_ms", stats.preprocess.mean_ms},
       {"device_ms", stats.device.mean_ms},
       {"postprocess_ms", stats.postprocess.mean_ms},
       {"watts", json_of(report.watts)},
       {"files", report.files},
       {"skipped", std::move(skipped)}});
}

std::string describe(const Bundle& bundle) {
  Json steps = Json::array();
  for (const Step& step : bundle.preprocessing) steps.push_back(std::visit(StepJson{}, step));
  Json output = {{"kind", bundle.classification ? "classification" : "segmentation"},
                 {"class_names", bundle.class_names},
                 {"colours", bundle.colours},
                 {"label_ids", bundle.label_ids}};
  if (bundle.covers[0] != 0) output["covers"] = bundle.covers;
  return text({{"name", bundle.name},
               {"board", bundle.board},
               {"preset", bundle.preset},
               {"model", bundle.model.string()},
               {"board_model", bundle.board_model.string()},
               {"preprocessing", {{"steps", std::move(steps)}}},
               {"output", std::move(output)}});
}

}  // namespace nerone::run
