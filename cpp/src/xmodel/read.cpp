#include <cerrno>
#include <cstring>
#include <fstream>
#include <nerone/error.hpp>
#include <nerone/xmodel.hpp>

#include "xmodel/check.hpp"
#include "xmodel/decode.hpp"
#include "xmodel/registers.hpp"
#include "xmodel/resolve.hpp"
#include "xmodel/texts.hpp"

namespace nerone::xmodel {

namespace {

std::string read_file(const std::filesystem::path& file, const Limits& limits) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status)) throw ModelError("there is no such file; check the path");
  if (!std::filesystem::is_regular_file(status)) throw ModelError("it is no regular file; give the path of an .xmodel");
  const auto size = std::filesystem::file_size(file, error);
  if (error) throw ModelError("its size cannot be read: " + error.message());
  if (size > limits.max_file_bytes) {
    throw ModelError("it has " + std::to_string(size) + " bytes, expected at most " +
                     std::to_string(limits.max_file_bytes) + "; it is no model for a DPU");
  }
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size))) {
    throw ModelError(std::string("it cannot be read: ") + std::strerror(errno) + "; check its permissions");
  }
  return bytes;
}

}  // namespace

Graph read_bytes(const void* data, std::size_t size_bytes, const Limits& limits) {
  try {
    if (size_bytes == 0) throw ModelError("it is empty");
    if (size_bytes > limits.max_file_bytes) throw ModelError("it has too many bytes");
    auto graph = resolve(decode({static_cast<const char*>(data), size_bytes}, limits));
    try {
      check(graph, limits);
    } catch (const ModelError&) {
      check_family(graph);  // says more than the rule of ours that another family breaks
      throw;
    }
    return graph;
  } catch (const ModelError& error) {
    throw ModelError("not a usable xmodel: " + with_advice(error.what()));
  }
}

Graph read(const std::filesystem::path& file, const Limits& limits) {
  try {
    const auto bytes = read_file(file, limits);
    return read_bytes(bytes.data(), bytes.size(), limits);
  } catch (const ModelError& error) {
    throw ModelError("'" + file.string() + "': " + error.what());
  }
}

}  // namespace nerone::xmodel
