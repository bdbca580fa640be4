#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/tokenizer/regular_expression.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <new>
#include <pcre2.h>

namespace troupe {

namespace {

// Unicode's White_Space, which is not quite what PCRE2 calls \s.
constexpr const char* white_space =
    R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

std::string with_white_space(std::string_view source) {
  std::string out;
  for (const char c : source)
    c == '~' ? out += white_space : out += c;
  return out;
}

[[noreturn]] void refuse(std::string_view expression, const std::string& reason) {
  throw input_error("the pattern \"" + std::string(expression) + "\" " + reason);
}

/// A pattern written for Oniguruma, as PCRE2 takes it: \s as the White_Space that both should mean. What the two read
/// differently is refused.
std::string translated(std::string_view source) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < source.size(); ++i) {
    const std::string_view rest = source.substr(i);
    if (rest[0] == '\\' && rest.size() > 1) {
      const char escaped = rest[1];
      if (std::string_view("hHRXCKwWbB").find(escaped) != std::string_view::npos)
        refuse(source, std::string("uses \\") + escaped + ", which is not supported");
      if (escaped == 'S' && in_class)
        refuse(source, "uses \\S in a class, which is not supported");
      if (escaped == 's')
        out += in_class ? white_space : std::string("[") + white_space + "]";
      else if (escaped == 'S')
        out += std::string("[^") + white_space + "]";
      else
        out += rest.substr(0, 2);
      ++i;
      continue;
    }
    if (in_class && (rest.starts_with("&&") || (rest[0] == '[' && !rest.starts_with("[:"))))
      refuse(source, "combines classes, which is not supported");
    if (!in_class && (rest.starts_with("{,") || rest.starts_with("(*") || rest.starts_with("(?C")))
      refuse(source, "has a construct that is not supported: " + std::string(rest.substr(0, 3)));
    if (rest.starts_with("[:") && in_class) { // A POSIX class, up to its own bracket.
      const size_t end = std::min(rest.find(":]"), rest.size() - 1);
      out += rest.substr(0, end + 1);
      i += end;
      continue;
    }
    if (!in_class && rest[0] == '[') {
      in_class = true;
      // A bracket that comes first is an ordinary character.
      const size_t head = rest.starts_with("[^]") ? 3 : rest.starts_with("[]") ? 2 : rest.starts_with("[^") ? 2 : 1;
      out += rest.substr(0, head);
      i += head - 1;
      continue;
    }
    if (in_class && rest[0] == ']')
      in_class = false;
    out += rest[0];
  }
  return out;
}

std::string message_of(int error) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

template <auto release>
struct release_with {
  template <class type>
  void operator()(type* what) const {
    release(what);
  }
};
using compiled_code = std::unique_ptr<pcre2_code, release_with<pcre2_code_free>>;
using match_data = std::unique_ptr<pcre2_match_data, release_with<pcre2_match_data_free>>;
using match_context = std::unique_ptr<pcre2_match_context, release_with<pcre2_match_context_free>>;

compiled_code compile(const std::string& source, uint32_t options, const std::string& as_written) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled_code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(), PCRE2_UTF | PCRE2_UCP | options, &error,
                                   &offset, nullptr));
  if (!code && error == PCRE2_ERROR_HEAP_FAILED)
    throw std::bad_alloc();
  if (!code)
    refuse(as_written, "is not supported: " + message_of(error));
  return code;
}

} // namespace

struct regular_expression::compiled {
  compiled_code code;
};

struct regular_expression::workspace::library_state {
  match_data found{pcre2_match_data_create(1, nullptr)};
  match_context limits{pcre2_match_context_create(nullptr)};
};

regular_expression::workspace::workspace(size_t bytes) : state_(std::make_unique<library_state>()) {
  if (!state_->found || !state_->limits)
    throw std::bad_alloc();
  // Every pattern of ours needs a bounded number of steps per byte. Whatever needs more is a bug in a
  // pattern, or came with a file, and ends in an error rather than in minutes.
  const size_t steps = std::min<size_t>(10'000'000 + 16 * bytes, 0xFFFFFFFF);
  pcre2_set_match_limit(state_->limits.get(), static_cast<uint32_t>(steps));
  pcre2_set_heap_limit(state_->limits.get(), 512 * 1024); // KiB
}

regular_expression::workspace::~workspace() = default;

regular_expression::regular_expression(const std::string& source, syntax written_as) {
  auto code = written_as == syntax::ours ? compile(with_white_space(source), 0, source)
                                         : compile(translated(source), PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, source);
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE); // Where it cannot, matching is slower and the same.
  code_ = std::make_unique<const compiled>(std::move(code));
}

regular_expression::~regular_expression() = default;

std::string_view regular_expression::next(std::string_view text, size_t from, workspace& work) const {
  const auto match = [&](uint32_t options) {
    return pcre2_match(code_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | options, work.state_->found.get(), work.state_->limits.get());
  };
  int result = match(0);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT)
    result = match(PCRE2_NO_JIT); // Its stack is the heap.
  if (result == PCRE2_ERROR_NOMATCH)
    return {};
  if (result == PCRE2_ERROR_NOMEMORY)
    throw std::bad_alloc();
  if (result < 0)
    throw input_error("a pattern of the vocabulary gave up on this text at byte " + std::to_string(from) + " of "
                      + std::to_string(text.size()) + ": " + message_of(result));
  const auto* bounds = pcre2_get_ovector_pointer(work.state_->found.get());
  TROUPE_ASSERT(bounds[0] >= from && bounds[1] > bounds[0]);
  return text.substr(bounds[0], bounds[1] - bounds[0]);
}

} // namespace troupe
