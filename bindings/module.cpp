#include "register.hpp"

PYBIND11_MODULE(_core, module) {
  using namespace nerone::bindings;
  module.doc() = "The C++ core of NERONE.";
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  module.attr("sanitized") = true;
#else
  module.attr("sanitized") = false;
#endif
  register_errors();
  register_tensors(module);
  register_xmodel(module);
  register_isa(module);
  register_isa_run(module);
  register_model(module);
  register_runner(module);
  register_preprocess(module);
  register_postprocess(module);
  register_pipeline(module);
}
