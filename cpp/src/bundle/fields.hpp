#pragma once

#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace nerone::bundle {

using Json = nlohmann::json;

// An object of bundle.json with the name of the place it stands at; each refusal is one sentence with that name.
class Fields {
 public:
  static Fields read(const std::filesystem::path& file);

  bool has(const char* key) const { return object_.contains(key); }  // null counts as there
  std::string text(const char* key) const;
  double number(const char* key) const;
  int integer(const char* key, int low, int high) const;
  bool flag(const char* key) const;
  std::vector<double> numbers(const char* key) const;  // one number counts as a list of one
  std::vector<int> integers(const char* key, int low, int high) const;
  std::vector<std::string> texts(const char* key) const;
  const Json& list(const char* key, const char* expected) const;
  bool is_null(const char* key) const;
  Fields object(const char* key) const;
  Fields item(const char* key, std::size_t number) const;  // an object of a list
  // Refuses any other key.
  void check_keys(std::initializer_list<const char*> known) const;
  [[noreturn]] void fail(const char* key, const std::string& expected) const;

 private:
  Fields(Json object, std::string place) : object_(std::move(object)), place_(std::move(place)) {}
  const Json& at(const char* key, const std::string& expected) const;

  Json object_;
  std::string place_;
};

}  // namespace nerone::bundle
