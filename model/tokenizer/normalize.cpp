#include "model/tokenizer/normalize.hpp"
#include "model/error.hpp"
#include "model/tokenizer/utf8_runs.hpp"
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <utf8proc.h>

namespace troupe {

namespace {

void append_composed(std::string_view text, std::string& out) {
  utf8proc_uint8_t* raw = nullptr;
  const auto bytes = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                  static_cast<utf8proc_ssize_t>(text.size()), &raw,
                                  static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> result(raw, &std::free);
  if (bytes == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  TROUPE_ASSERT(bytes >= 0); // The text is UTF-8, and shorter than all that could overflow.
  out.append(reinterpret_cast<const char*>(raw), static_cast<size_t>(bytes));
}

} // namespace

std::string compose(std::string_view text) {
  const auto is_ascii = [](char byte) { return static_cast<unsigned char>(byte) < 0x80; };
  if (std::all_of(text.begin(), text.end(), is_ascii)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (const auto& run : utf8_runs(text)) {
    if (run.is_valid)
      append_composed(run.text, out);
    else
      out += run.text;
  }
  return out;
}

std::string normalize(const vocabulary& words, std::string_view text) {
  std::string normal = words.compose ? compose(text) : std::string(text);
  if (words.kind == tokenizer_kind::byte_pair) return normal;
  std::string marked;
  const auto spaces = static_cast<size_t>(std::count(normal.begin(), normal.end(), ' '));
  marked.reserve(normal.size() + (spaces + 1) * space_mark.size());
  if (words.prefix == space_prefix::always) marked += space_mark;
  for (const char byte : normal) {
    if (byte == ' ')
      marked += space_mark;
    else
      marked += byte;
  }
  return marked;
}

} // namespace troupe
