#include <nerone/bundle.hpp>
#include <nerone/error.hpp>

#include "bundle/fields.hpp"
#include "bundle/steps.hpp"

namespace nerone {

namespace fs = std::filesystem;
using bundle::Fields;

namespace {

constexpr int schema = 1;
constexpr int most_pixels = 1 << 20;
constexpr const char* manifest_file = "bundle.json";
constexpr const char* model_file = "model.xmodel";

fs::path existing(const fs::path& path) {
  std::error_code ignored;
  fs::path folder = path;
  if (!fs::exists(folder, ignored) && folder.extension() != ".nerone") folder += ".nerone";
  if (!fs::exists(folder, ignored)) {
    throw ConfigurationError("there is no bundle '" + path.string() +
                             "'; make one with nerone deploy, or check the path");
  }
  if (!fs::is_directory(folder, ignored)) {
    throw ConfigurationError("'" + path.string() + "' is a file, a bundle is a folder NAME.nerone; give the folder");
  }
  if (!fs::is_regular_file(folder / manifest_file, ignored)) {
    throw ConfigurationError("'" + path.string() + "' is no bundle: it has no " + manifest_file +
                             "; make one with nerone deploy");
  }
  return folder;
}

void check_model(const fs::path& folder, const std::string& name) {
  if (fs::path(name).filename() != name) {
    throw ConfigurationError("'" + folder.string() + "' names the file '" + name + "' outside of itself; deploy again");
  }
  std::error_code ignored;
  if (!fs::is_regular_file(folder / name, ignored)) {
    throw ConfigurationError("'" + (folder / name).string() +
                             "' is missing; the bundle is incomplete: copy it again or deploy again");
  }
}

void read_output(const Fields& output, Bundle& into) {
  const auto kind = output.text("kind");
  into.classification = kind == "classification";
  if (!into.classification && kind != "segmentation") output.fail("kind", "segmentation or classification");
  into.class_names = output.texts("class_names");
  const auto count = into.class_names.size();
  if (count == 0) output.fail("class_names", "one name per class");
  const char* levels = "[R, G, B] with levels from 0 to 255 for each class";
  for (const auto& colour : output.list("colours", levels)) {
    if (!colour.is_array() || colour.size() != 3) output.fail("colours", levels);
    auto& into_colour = into.colours.emplace_back();
    for (std::size_t i = 0; i < 3; ++i) {
      if (!colour[i].is_number_unsigned() || colour[i].get<std::uint64_t>() > 255) output.fail("colours", levels);
      into_colour[i] = colour[i].get<std::uint8_t>();
    }
  }
  if (into.colours.size() != count) output.fail("colours", levels);
  for (const int id : output.integers("label_ids", 0, 255)) into.label_ids.push_back(static_cast<std::uint8_t>(id));
  if (!into.label_ids.empty() && into.label_ids.size() != count) output.fail("label_ids", "one id per class, or none");
  if (output.has("covers")) {
    const auto covers = output.integers("covers", 1, most_pixels);
    if (covers.size() != 2) output.fail("covers", "rows and columns");
    into.covers = {covers[0], covers[1]};
  }
}

}  // namespace

Bundle Bundle::open(const fs::path& path) {
  Bundle bundle;
  bundle.folder = existing(path);
  const auto fields = Fields::read(bundle.folder / manifest_file);
  if (fields.integer("schema", 0, most_pixels) != schema) {
    fields.fail("schema", std::to_string(schema) + ", which this release reads");
  }
  bundle.name = fields.text("name");
  bundle.board = fields.text("board");
  bundle.preset = fields.text("preset");
  bundle.preprocessing = bundle::read_preprocessing(fields.object("preprocessing"));
  read_output(fields.object("output"), bundle);
  check_model(bundle.folder, model_file);
  bundle.model = bundle.folder / model_file;
  const auto board_model = fields.text("board_model");
  if (!board_model.empty()) {
    check_model(bundle.folder, board_model);
    bundle.board_model = bundle.folder / board_model;
  }
  return bundle;
}

const fs::path& Bundle::model_for(const std::string& device) const {
  return device == "board" && !board_model.empty() ? board_model : model;
}

}  // namespace nerone
