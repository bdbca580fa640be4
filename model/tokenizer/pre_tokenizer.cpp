#include "model/tokenizer/pre_tokenizer.hpp"
#include "model/error.hpp"

namespace troupe {

namespace {

struct family {
  std::vector<const char*> names; // As tokenizer.ggml.pre spells them; the first is the one to advertise.
  std::vector<const char*> patterns; // "~" stands for the inside of a class of white space.
  bool whole_words_first = false;
};

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

} // namespace

pre_tokenizer::pre_tokenizer(const vocabulary& words) {
  for (const auto& theirs : words.patterns)
    patterns_.push_back({std::make_unique<regular_expression>(theirs.expression, regular_expression::syntax::oniguruma),
                         theirs.drops_rest});
  if (!words.patterns.empty())
    return;
  const auto& chosen = family_of(words.pre_tokenizer);
  whole_words_first_ = chosen.whole_words_first;
  for (const char* source : chosen.patterns)
    patterns_.push_back({std::make_unique<regular_expression>(source, regular_expression::syntax::ours), false});
}

void pre_tokenizer::pattern::split(std::string_view text, std::vector<utf8_run>& words, regular_expression::workspace& work) const {
  for (size_t done = 0; done < text.size();) {
    const auto found = expression->next(text, done, work);
    const size_t begin = found.empty() ? text.size() : static_cast<size_t>(found.data() - text.data());
    if (begin > done && !drops_rest)
      words.push_back({text.substr(done, begin - done), true});
    if (!found.empty())
      words.push_back({found, true});
    done = begin + found.size();
  }
}

std::vector<std::string_view> pre_tokenizer::split(std::string_view text) const {
  regular_expression::workspace work(text.size());
  // PCRE2 would check all of the rest of the text at each match, in quadratic time: it is checked here, once.
  auto words = utf8_runs(text);
  for (const auto& step : patterns_) {
    std::vector<utf8_run> finer;
    for (const auto& word : words) {
      if (word.is_valid)
        step.split(word.text, finer, work);
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
