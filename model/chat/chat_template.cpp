#include "model/chat/chat_template.hpp"
#include "model/chat/jinja/interpreter.hpp"
#include "model/chat/jinja/parser.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <algorithm>

namespace troupe {
namespace {

// A message's content is a string, or a list of parts of which some are text.
constexpr std::string_view print_content = "{%- if message.content is string %}{{ message.content }}"
                                           "{%- else %}{%- for part in message.content or [] if part.text is defined %}{{ part.text }}"
                                           "{%- endfor %}{%- endif %}";

std::string chat_ml() {
  return "{%- for message in messages %}{{ '<|im_start|>' ~ message.role ~ '\\n' }}" + std::string(print_content) +
         "{{ '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}";
}

std::string plain_lines() {
  return "{%- for message in messages %}{{ message.role | capitalize ~ ': ' }}" + std::string(print_content) +
         "{{ '\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{ 'Assistant:' }}{%- endif %}";
}

} // namespace

static_assert(jinja::template_bytes_max == chat_template_bytes_max);

struct chat_template::content {
  jinja::block body;
};

chat_template::chat_template(std::string_view source) : content_(new content{jinja::parse_template(source)}) {}
chat_template::~chat_template() = default;
chat_template::chat_template(chat_template&&) noexcept = default;
chat_template& chat_template::operator=(chat_template&&) noexcept = default;

std::string chat_template::render(const json_value& variables) const { return jinja::render(content_->body, variables); }

std::string chat_template_source(const vocabulary& words) {
  if (!words.chat_template.empty()) return words.chat_template;
  const bool has_turns = std::find(words.pieces.begin(), words.pieces.end(), "<|im_start|>") != words.pieces.end();
  return has_turns ? chat_ml() : plain_lines();
}

} // namespace troupe
