#include "xmodel/op_registry.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <unordered_map>

namespace nerone::xmodel {

namespace {

// Read out of libxir 2.5's registry; a later row of a type adds to an earlier one. Roles: one; "?" none or one; "+" at
// least one. Attributes: name:type, "?" where it may be absent, "/n" for a list of n, "=" before what an op without it
// is given.
struct Row {
  const char* types;
  const char* roles;
  const char* attrs;
};

constexpr const char* conv2d_attrs =
    "kernel:int32s/2 stride:int32s/2 dilation?:int32s/2=1,1 pad_mode:text pad?:int32s/4=0,0,0,0";
constexpr const char* conv3d_attrs =
    "kernel:int32s/3 stride:int32s/3 dilation?:int32s/3=1,1,1 pad_mode:text pad?:int32s/6=0,0,0,0,0,0";
constexpr const char* conv2d_fix_attrs =
    "kernel:int32s/2 stride:int32s/2 dilation?:int32s/2=1,1 pad?:int32s/4=0,0,0,0 nonlinear?:text=";
constexpr const char* conv3d_fix_attrs =
    "kernel:int32s/3 stride:int32s/3 dilation?:int32s/3=1,1,1 pad?:int32s/6=0,0,0,0,0,0 nonlinear?:text=";
constexpr const char* resize_attrs =
    "mode:text align_corners?:boolean=0 half_pixel_centers?:boolean=0 scale:float32s/2";

constexpr std::array rows{
    Row{"add div max min mul sub", "input+", ""},
    Row{"avgpool2d", "input",
        "kernel:int32s/2 stride:int32s/2 pad_mode:text pad?:int32s/4=0,0,0,0 global?:boolean=0 "
        "count_include_pad?:boolean=1 count_include_invalid?:boolean=1"},
    Row{"batchnorm", "input gamma beta moving_mean moving_var", "axis:int32 epsilon:float32"},
    Row{"celu elu", "input", "alpha?:float32=1"},
    Row{"concat concat-fix stack", "input+", "axis:int32"},
    Row{"const const-fix", "", "shape:int32s data_type:text data:bytes"},
    Row{"conv2d depthwise-conv2d transposed-conv2d transposed-depthwise-conv2d", "input weights bias?", conv2d_attrs},
    Row{"conv2d-fix depthwise-conv2d-fix transposed-conv2d-fix transposed-depthwise-conv2d-fix", "input weights bias?",
        conv2d_fix_attrs},
    Row{"conv3d depthwise-conv3d transposed-conv3d transposed-depthwise-conv3d", "input weights bias?", conv3d_attrs},
    Row{"conv3d-fix depthwise-conv3d-fix transposed-conv3d-fix transposed-depthwise-conv3d-fix", "input weights bias?",
        conv3d_fix_attrs},
    Row{"conv2d-fix conv3d-fix", "", "hsigmoid_in?:int32=-128 shift_hsigmoid?:int32=-128 shift_hswish?:int32=-128"},
    Row{"depthwise-conv2d-fix transposed-conv2d-fix transposed-depthwise-conv2d-fix depthwise-conv3d-fix "
        "transposed-conv3d-fix transposed-depthwise-conv3d-fix",
        "", "hsigmoid_in?:int32 shift_hsigmoid?:int32 shift_hswish?:int32"},
    Row{"data data-fix", "", "shape:int32s data_type:text"},
    Row{"depthwise-fix", "input+", "type?:text=MUL"},
    Row{"download exp gelu hard-sigmoid hard-sigmoid-fix hard-swish hard-tanh identity neg placeholder relu relu6 selu "
        "shape sigmoid swish tanh upload",
        "input", ""},
    Row{"downsample-fix upsample-fix", "input size?", resize_attrs},
    Row{"eltwise-fix", "input+", "nonlinear?:text=NONE type?:text=ADD"},
    Row{"fix fix2float float2fix", "input", "fix_point:int32 bit_width:int32 round_mode:text if_signed:boolean"},
    Row{"flatten", "input", "start_axis:int32 end_axis:int32"},
    Row{"gstiling tile-fix", "input", "reverse:boolean stride:int32"},
    Row{"inner-product", "input weights bias?", "axis:int32"},
    Row{"l2_normalize", "input", "axis?:int32s= epsilon?:float64=1e-12"},
    Row{"leaky-relu", "input", "alpha:float32"},
    Row{"matmul", "input+ bias?", "transpose_a:boolean transpose_b:boolean"},
    Row{"maxpool2d", "input", "kernel:int32s/2 stride:int32s/2 pad_mode:text pad?:int32s/4=0,0,0,0 global?:boolean=0"},
    Row{"pad", "input", "paddings:int32s mode:text constant_values?:float32s="},
    Row{"pad-fix", "input", "paddings:int32s mode:text constant_values?:bytes="},
    Row{"pixel-shuffle", "input", "scale:int32 upscale:boolean"},
    Row{"pixel-shuffle-fix reorg reorg-fix", "input", "scale:int32 reverse:boolean"},
    Row{"pool-fix", "input", "kernel:int32s/2 stride:int32s/2 pad?:int32s/4=0,0,0,0 type:text"},
    Row{"priorbox", "input+",
        "min_sizes:float32s max_sizes?:float32s= aspect_ratio?:float32s= flip:boolean clip:boolean variance:float32s "
        "step:float32s offset:float32"},
    Row{"random_standard_normal", "", "shape:int32s data_type:text seed?:int32=0 seed2?:int32=0"},
    Row{"reduction_max reduction_mean reduction_product reduction_sum", "input", "axis:int32s keep_dims:boolean"},
    Row{"reshape", "input shape?", "shape?:int32s=0"},
    Row{"reshape-fix", "input", "shape:int32s"},
    Row{"resize", "input size?", "mode:text align_corners?:boolean=0 half_pixel_centers?:boolean=0 scale?:float32s="},
    Row{"scale", "input scale bias?", "axis?:int32=-1"},
    Row{"softmax", "input", "axis:int32"},
    Row{"squeeze", "input", "axis?:int32s="},
    Row{"strided_slice", "input", "begin:int32s end:int32s strides:int32s"},
    Row{"threshold", "input threshold", ""},
    Row{"transpose", "input", "order:int32s"},
};

RoleDefinition parse_role(std::string word) {
  RoleDefinition role;
  if (word.back() == '?') role.occurrence = Occurrence::optional;
  if (word.back() == '+') role.occurrence = Occurrence::some;
  if (role.occurrence != Occurrence::one) word.pop_back();
  role.name = std::move(word);
  return role;
}

template <typename Number>
std::vector<Number> parse_numbers(const std::string& text) {
  std::vector<Number> numbers;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) numbers.push_back(static_cast<Number>(std::stod(word)));
  return numbers;
}

Attr parse_value(const std::string& type, const std::string& text) {
  if (type == "text") return text;
  if (type == "bytes") return Bytes(text.begin(), text.end());
  if (type == "int32s") return parse_numbers<std::int32_t>(text);
  if (type == "float32s") return parse_numbers<float>(text);
  const double number = std::stod(text);
  if (type == "boolean") return number != 0.0;
  if (type == "int32") return static_cast<std::int32_t>(number);
  if (type == "float32") return static_cast<float>(number);
  return number;
}

AttrDefinition parse_attr(std::string word) {
  AttrDefinition attr;
  const auto equals = word.find('=');
  const auto fallback = equals == std::string::npos ? std::string() : word.substr(equals + 1);
  word.resize(std::min(equals, word.size()));
  const auto colon = word.find(':');
  const auto slash = word.find('/');
  attr.required = word[colon - 1] != '?';
  attr.name = word.substr(0, colon - (attr.required ? 0 : 1));
  attr.type = word.substr(colon + 1, slash == std::string::npos ? slash : slash - colon - 1);
  if (slash != std::string::npos) attr.length = static_cast<std::size_t>(word[slash + 1] - '0');
  if (equals != std::string::npos) attr.fallback = parse_value(attr.type, fallback);
  return attr;
}

std::unordered_map<std::string, OpDefinition> parse_rows() {
  std::unordered_map<std::string, OpDefinition> definitions;
  for (const auto& row : rows) {
    std::istringstream types(row.types);
    for (std::string type; types >> type;) {
      auto& definition = definitions[type];
      std::istringstream roles(row.roles), attrs(row.attrs);
      for (std::string word; roles >> word;) definition.roles.push_back(parse_role(word));
      for (std::string word; attrs >> word;) definition.attrs.push_back(parse_attr(word));
    }
  }
  return definitions;
}

constexpr std::array<const char*, std::variant_size_v<Attr>> type_names{
    "boolean",    "int32",       "uint32",     "int64",       "uint64",    "float32",    "float64",  "text",
    "bytes",      "booleans",    "int32s",     "uint32s",     "int64s",    "uint64s",    "float32s", "float64s",
    "texts",      "bytes_list",  "int32_map",  "uint32_map",  "int64_map", "uint64_map", "text_map", "bytes_map",
    "int32s_map", "uint32s_map", "int64s_map", "uint64s_map", "texts_map"};

}  // namespace

const OpDefinition* find_definition(const std::string& type) {
  static const auto definitions = parse_rows();
  const auto found = definitions.find(type);
  return found == definitions.end() ? nullptr : &found->second;
}

const char* type_name(const Attr& attr) { return type_names[attr.index()]; }

}  // namespace nerone::xmodel
