#pragma once
// Chat templates: what turns a conversation into the text that a model continues. A published model carries its template, in Jinja2; it
// is run by an interpreter that reaches nothing but its variables, and whose time and memory are bounded (jinja/limits.hpp).
#include "model/chat/jinja/limits.hpp"
#include <memory>
#include <string>
#include <string_view>

namespace troupe {

struct json_value;
struct vocabulary;

/// Immutable: it may be rendered from several threads at once. A rendering is a function of its variables: no clock, no file, no
/// randomness.
///
/// What a template means is what jinja2 3.1 makes of it in Hugging Face's apply_chat_template: trim_blocks, lstrip_blocks, no
/// escaping, {% break %} and {% continue %}, {% generation %}, raise_exception(), tojson as json.dumps without ASCII escapes, and the
/// immutable sandbox. What is different:
/// - {% block %}, {% include %}, {% import %}, {% extends %}, {% autoescape %}, translations, and filters that make web pages are refused.
/// - Integers beyond 64 bits and escapes by character names are refused, and so are slices of a tuple of indices, and of constants that
///   have none, such as (5)[1:].
/// - Upper and lower case are Unicode's simple mappings, but for U+00DF and the final sigma.
/// - The text of an error is ours, except that of raise_exception().
class chat_template {
public:
  /// Throws input_error, with the line, for what is no template, for one of more than template_bytes_max bytes, and for one that uses a
  /// tag, filter or test which is not supported: it names it.
  explicit chat_template(std::string_view source);
  ~chat_template();
  chat_template(chat_template&&) noexcept;
  chat_template& operator=(chat_template&&) noexcept;

  /// variables: an object with `messages`, and where the conversation has them `tools`, `add_generation_prompt`, `bos_token`,
  /// `eos_token`, `date_string` and more. If `strftime_now` is a date (2026-11-30 or 2026-11-30T08:15:00), templates may call
  /// strftime_now(format) and get that date; without it the name is not defined.
  ///
  /// Throws input_error: with the text of raise_exception(), alone, where the template calls that; else with the line and the
  /// reason, where an operation is not defined or a limit is exceeded. Rendering again gives the same.
  std::string render(const json_value& variables) const;

private:
  struct content;
  std::unique_ptr<const content> content_;
};

/// The template of a vocabulary: what its files say. Where they say nothing: ChatML, if it has the pieces for it, else a line for each
/// message ("User: ...").
std::string chat_template_source(const vocabulary& words);

} // namespace troupe
