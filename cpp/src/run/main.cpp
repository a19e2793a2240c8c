#include <cstdio>
#include <exception>
#include <new>

#include "run/arguments.hpp"
#include "run/printable.hpp"
#include "run/run.hpp"

int main(int count, char** values) {
  try {
    const auto arguments = nerone::run::parse_arguments(count, values);
    if (arguments.help || arguments.version) {
      const auto text = arguments.help ? nerone::run::help_text() : nerone::run::version_text();
      return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? 2 : 0;
    }
    return nerone::run::run(arguments);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "nerone-run: out of memory; take fewer workers or smaller images\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nerone-run: %s\n", nerone::run::printable_line(error.what()).c_str());
  } catch (...) {
    std::fprintf(stderr, "nerone-run: something failed that gives no reason; please report it\n");
  }
  return 2;
}
