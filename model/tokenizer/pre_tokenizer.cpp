#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/tokenizer/pre_tokenizer.hpp"
#include "model/error.hpp"
#include "model/tokenizer/utf8_runs.hpp"
#include <algorithm>
#include <pcre2.h>

namespace troupe {

namespace {

struct family {
  std::vector<const char*> names; // As tokenizer.ggml.pre spells them; the first is the one to advertise.
  std::vector<const char*> patterns;
  bool whole_words_first = false;
};

// "~" stands for the inside of a class of Unicode's White_Space, which is not quite what PCRE2 calls \s.
constexpr const char* white_space =
    R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

constexpr const char* gpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^~\p{L}\p{N}]+|[~]+(?![^~])|[~]+)";

constexpr const char* qwen2 = R"('(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD]))"
                              R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^~\p{L}\p{N}]+[\r\n]*)"
                              R"(|[~]*[\r\n]+|[~]+(?![^~])|[~]+)";

constexpr const char* qwen35 = R"('(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD]))"
                               R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^~\p{L}\p{M}\p{N}]+[\r\n]*)"
                               R"(|[~]*[\r\n]+|[~]+(?![^~])|[~]+)";

constexpr const char* llama3 = R"('(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD]))"
                               R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^~\p{L}\p{N}]+[\r\n]*)"
                               R"(|[~]*[\r\n]+|[~]+(?![^~])|[~]+)";

constexpr const char* gpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?:'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD]))?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?:'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD]))?)"
    R"(|\p{N}{1,3}| ?[^~\p{L}\p{N}]+[\r\n/]*|[~]*[\r\n]+|[~]+(?![^~])|[~]+)";

constexpr const char* tekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^~\p{L}\p{N}]+[\r\n/]*|[~]*[\r\n]+|[~]+(?![^~])|[~]+)";

constexpr const char* deepseek3 = R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}\x7e][A-Za-z]+)"
                                  R"(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)"
                                  R"(|[~]*[\r\n]+|[~]+(?![^~])|[~]+)";

const std::vector<family>& families() {
  static const std::vector<family> all{
      {{"default"}, {R"([\p{P}$+<=>^\x7e|]+)", gpt2, R"(\p{N}+)", R"([0-9][0-9][0-9])"}},
      {{"gpt-2", "phi-2", "mpt", "olmo", "exaone4"}, {gpt2}},
      {{"qwen2", "deepseek-r1-qwen", "stablelm2", "megrez"}, {qwen2}},
      {{"qwen35"}, {qwen35}},
      {{"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "lfm2"}, {llama3}, true},
      {{"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, {llama3}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"},
       {R"(\p{N})", gpt2}},
      {{"gpt-4o", "llama4"}, {gpt4o}},
      {{"tekken"}, {tekken}, true},
      {{"deepseek-v3"}, {R"(\p{N}{1,3})", R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)", deepseek3}},
  };
  return all;
}

// Empty: the file names none.
const family& family_of(const std::string& name) {
  const std::string_view wanted = name.empty() ? "default" : std::string_view(name);
  std::string known;
  for (const auto& candidate : families())
    for (const std::string_view spelling : candidate.names) {
      if (spelling == wanted)
        return candidate;
      known += (known.empty() ? "" : ", ") + std::string(spelling);
    }
  throw input_error("unknown pre-tokenizer \"" + name + "\" (tokenizer.ggml.pre); known are: " + known);
}

std::string with_white_space(std::string_view source) {
  std::string out;
  for (const char c : source)
    c == '~' ? out += white_space : out += c;
  return out;
}

[[noreturn]] void refuse(std::string_view expression, const std::string& reason) {
  throw input_error("the pre-tokenizer's pattern \"" + std::string(expression) + "\" " + reason);
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
using compiled = std::unique_ptr<pcre2_code, release_with<pcre2_code_free>>;
using match_data = std::unique_ptr<pcre2_match_data, release_with<pcre2_match_data_free>>;
using match_context = std::unique_ptr<pcre2_match_context, release_with<pcre2_match_context_free>>;

// What one call of split() needs: PCRE2 writes into it, so it is never shared.
struct workspace {
  match_data found{pcre2_match_data_create(1, nullptr)};
  match_context limits{pcre2_match_context_create(nullptr)};

  explicit workspace(size_t bytes) {
    if (!found || !limits)
      throw std::bad_alloc();
    // Every pattern above needs a bounded number of steps per byte. Whatever needs more is a bug in a
    // pattern, or came with a file, and ends in an error rather than in minutes.
    const size_t steps = std::min<size_t>(10'000'000 + 16 * bytes, 0xFFFFFFFF);
    pcre2_set_match_limit(limits.get(), static_cast<uint32_t>(steps));
    pcre2_set_heap_limit(limits.get(), 512 * 1024); // KiB
  }
};

} // namespace

struct pre_tokenizer::pattern {
  compiled code;
  bool drops_rest = false;

  explicit pattern(const char* ours) : code(compile(with_white_space(ours), 0, ours)) {
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE); // Where it cannot, matching is slower and the same.
  }
  explicit pattern(const word_pattern& theirs)
      : code(compile(translated(theirs.expression), PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, theirs.expression)),
        drops_rest(theirs.drops_rest) {
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  }

  static compiled compile(const std::string& source, uint32_t options, const std::string& as_written) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    compiled code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(),
                                PCRE2_UTF | PCRE2_UCP | options, &error, &offset, nullptr));
    if (!code && error == PCRE2_ERROR_HEAP_FAILED)
      throw std::bad_alloc();
    if (!code)
      refuse(as_written, "is not supported: " + message_of(error));
    return code;
  }

  /// The first match that begins at `from` or behind it and is not empty; empty: none. text is valid UTF-8.
  std::string_view next(std::string_view text, size_t from, workspace& work) const {
    const auto match = [&](uint32_t options) {
      return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                         PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | options, work.found.get(), work.limits.get());
    };
    int result = match(0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT)
      result = match(PCRE2_NO_JIT); // Its stack is the heap.
    if (result == PCRE2_ERROR_NOMATCH)
      return {};
    if (result == PCRE2_ERROR_NOMEMORY)
      throw std::bad_alloc();
    if (result < 0)
      throw input_error("the pre-tokenizer gave up on this text at byte " + std::to_string(from) + " of "
                        + std::to_string(text.size()) + ": " + message_of(result));
    const auto* bounds = pcre2_get_ovector_pointer(work.found.get());
    TROUPE_ASSERT(bounds[0] >= from && bounds[1] > bounds[0]);
    return text.substr(bounds[0], bounds[1] - bounds[0]);
  }

  void split(std::string_view text, std::vector<utf8_run>& words, workspace& work) const {
    for (size_t done = 0; done < text.size();) {
      const auto found = next(text, done, work);
      const size_t begin = found.empty() ? text.size() : static_cast<size_t>(found.data() - text.data());
      if (begin > done && !drops_rest)
        words.push_back({text.substr(done, begin - done), true});
      if (!found.empty())
        words.push_back({found, true});
      done = begin + found.size();
    }
  }
};

pre_tokenizer::pre_tokenizer(const vocabulary& words) {
  for (const auto& theirs : words.patterns)
    patterns_.push_back(std::make_unique<pattern>(theirs));
  if (!words.patterns.empty())
    return;
  const auto& chosen = family_of(words.pre_tokenizer);
  whole_words_first_ = chosen.whole_words_first;
  for (const char* source : chosen.patterns)
    patterns_.push_back(std::make_unique<pattern>(source));
}

pre_tokenizer::~pre_tokenizer() = default;

std::vector<std::string_view> pre_tokenizer::split(std::string_view text) const {
  workspace work(text.size());
  // PCRE2 would check all of the rest of the text at each match, in quadratic time: it is checked here, once.
  auto words = utf8_runs(text);
  for (const auto& step : patterns_) {
    std::vector<utf8_run> finer;
    for (const auto& word : words) {
      if (word.is_valid)
        step->split(word.text, finer, work);
      else
        finer.push_back(word);
    }
    words = std::move(finer);
  }
  std::vector<std::string_view> result;
  result.reserve(words.size());
  for (const auto& word : words)
    result.push_back(word.text);
  return result;
}

} // namespace troupe
