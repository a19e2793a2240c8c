#pragma once

// The one place that has libxir build graphs, so that nothing of what it does about a bad one (ending the process,
// throwing what is no std::exception, reading past the end of a shape) reaches the program.

#include <UniLog/ErrorCode.hpp>
#include <exception>
#include <memory>
#include <nerone/error.hpp>
#include <nerone/xmodel.hpp>
#include <string>
#include <xir/graph/graph.hpp>

namespace nerone::xmodel {

// Makes UniLog's checks throw instead of ending the process. Needed before anything of libxir is used.
void make_checks_throw();

// A checked graph as libxir's own. ModelError where libxir refuses it.
std::unique_ptr<xir::Graph> to_libxir(const Graph& graph);

// For outline(): an op type with any number of inputs, of any shapes.
const char* outlined_type();

// Runs code of libxir; whatever it throws leaves as a ModelError.
template <typename Call>
auto call_libxir(Call&& call) -> decltype(call()) {
  make_checks_throw();
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const ErrorCode& code) {
    throw ModelError("XIR refuses it: " + code.getErrID() + ", " + code.getErrDsp());
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw ModelError(std::string("XIR refuses it: ") + error.what());
  } catch (...) {
    throw ModelError("XIR refuses it without a reason");
  }
}

}  // namespace nerone::xmodel
