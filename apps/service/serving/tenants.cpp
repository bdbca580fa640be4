#include "apps/service/serving/tenants.hpp"

#include "actors/interfaces/tenant_weight.hpp"
#include "apps/service/http/request.hpp"
#include "model/formats/json.hpp"

#include <cstdlib>
#include <openssl/sha.h>
#include <set>
#include <sstream>

namespace troupe::service {
namespace {

template <class Number> Number number_in(const std::string& text, double least, double most, const std::string& place) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= least && value <= most)) throw input_error(place + "\"" + text + "\" is out of bounds");
  return Number(value);
}

/// Looks at all bytes, whichever differ.
bool are_equal(std::string_view a, std::string_view b) {
  unsigned difference = a.size() != b.size();
  for (size_t i = 0; i < a.size(); ++i) difference |= unsigned(uint8_t(a[i]) ^ uint8_t(b.empty() ? 0 : b[i % b.size()]));
  return difference == 0;
}

/// Of a tenant without one: it does not change when the file does, and tells nobody the key.
std::string name_of(const std::string& key) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest);
  std::string name = "key ";
  constexpr const char* digits = "0123456789abcdef";
  for (int i = 0; i < 6; ++i) (name += digits[digest[i] / 16]) += digits[digest[i] % 16];
  return name;
}

} // namespace

std::vector<tenant_key> read_keys(const std::filesystem::path& file) {
  std::istringstream lines(read_text(file, 1 << 20));
  std::vector<tenant_key> keys;
  std::set<std::string> known;
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string place = file.string() + ": line " + std::to_string(++number) + ": ";
    std::istringstream words(line);
    tenant_key one;
    if (!(words >> one.key) || one.key.starts_with('#')) continue;
    one.name = name_of(one.key);
    for (std::string word; words >> word;) {
      const auto equals = word.find('=');
      const std::string what = word.substr(0, equals), value = equals == std::string::npos ? "" : word.substr(equals + 1);
      if (what == "name" && !value.empty()) one.name = value;
      else if (what == "weight") one.weight = number_in<float>(value, tenant_weight_min, tenant_weight_max, place);
      else if (what == "requests") one.requests_max = number_in<uint32_t>(value, 1, 1e6, place);
      else if (what == "priority") one.priority_max = number_in<int32_t>(value, -100, 100, place);
      else throw input_error(place + "wanted name=, weight=, requests= or priority=, found \"" + word + "\"");
    }
    if (one.key.size() < 8) throw input_error(place + "a key has at least 8 characters");
    if (!known.insert(one.key).second) throw input_error(place + "this key is there twice");
    keys.push_back(std::move(one));
  }
  if (keys.empty()) throw input_error(file.string() + ": there is no key in it");
  return keys;
}

const tenant_key* find_key(const std::vector<tenant_key>& keys, std::string_view authorization, std::string_view api_key) {
  constexpr std::string_view bearer = "bearer ";
  std::string_view given = api_key;
  if (authorization.size() > bearer.size() && http::equal_ignoring_case(authorization.substr(0, bearer.size()), bearer))
    given = authorization.substr(bearer.size());
  const tenant_key* found = nullptr;
  for (const auto& one : keys)
    if (are_equal(given, one.key)) found = &one;
  return found;
}

} // namespace troupe::service
