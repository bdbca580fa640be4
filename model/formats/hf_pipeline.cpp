#include "model/formats/hf_pipeline.hpp"
#include "model/formats/byte_reader.hpp"
#include <array>

namespace troupe::detail {
namespace {

constexpr std::string_view mark = "\xE2\x96\x81"; // U+2581
constexpr size_t expression_bytes_max = 16384;

// What ByteLevel cuts text by unless use_regex is false: GPT-2's pattern.
constexpr const char* byte_level_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* all_of_it = "(?s:.+)";

[[noreturn]] void refuse_type(const json_node& step) {
  const json_node type = step.get("type");
  type.fail(in_quotes(type.text()) + " is not supported here");
}

/// The steps of a normalizer, pre_tokenizer, ...: those of a Sequence, or the one there is.
void for_each_step(const std::optional<json_node>& step, const char* sequence_name,
                   const std::function<void(const json_node&)>& visit) {
  if (!step) return;
  if (step->get("type").text() != "Sequence") return visit(*step);
  for (const json_node& inner : step->get(sequence_name).elements())
    for_each_step(inner, sequence_name, visit);
}

void require_text(const json_node& node, std::string_view wanted) {
  if (node.text() != wanted) node.fail("wanted " + in_quotes(wanted) + ", found " + in_quotes(node.text()));
}

/// What the steps said, before it is put together.
struct steps {
  bool marks_spaces = false;  // Replace " " by "▁", or Metaspace.
  bool prepends_mark = false; // Prepend "▁".
  bool is_byte_level = false, is_metaspace = false;
};

void read_normalizer(const json_node& tokenizer, vocabulary& words, steps& found) {
  for_each_step(tokenizer.find("normalizer"), "normalizers", [&](const json_node& step) {
    const std::string& type = step.get("type").text();
    if (type == "NFC") {
      if (found.marks_spaces || found.prepends_mark) step.fail("NFC is supported only before other steps");
      words.compose = true;
    } else if (type == "Prepend") {
      if (found.prepends_mark) step.fail("a second Prepend is not supported");
      require_text(step.get("prepend"), mark);
      found.prepends_mark = true;
    } else if (type == "Replace") {
      require_text(step.get("pattern").get("String"), " ");
      require_text(step.get("content"), mark);
      found.marks_spaces = true;
    } else {
      refuse_type(step);
    }
  });
  if (found.prepends_mark) words.prefix = space_prefix::always;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= 'a' && byte <= 'z') || byte < 0x20 || byte == ' ';
    if (!is_plain) out += '\\';
    out += c;
  }
  return out;
}

word_pattern read_split(const json_node& step) {
  step.require_only({"type", "pattern", "behavior", "invert"});
  const json_node pattern = step.get("pattern");
  const auto regex = pattern.find("Regex");
  const json_node text = regex ? *regex : pattern.get("String");
  if (text.text().empty() || text.text().size() > expression_bytes_max) {
    text.fail("wanted 1 to " + std::to_string(expression_bytes_max) + " bytes, found " +
              std::to_string(text.text().size()));
  }
  const json_node behavior = step.get("behavior");
  const bool invert = step.flag_or("invert", false);
  const bool drops_rest = behavior.text() == "Removed" && invert;
  if (behavior.text() != "Isolated" && !drops_rest) {
    behavior.fail(in_quotes(behavior.text()) + (invert ? " with invert" : "") +
                  " is not supported; supported are Isolated, and Removed with invert");
  }
  return {regex ? text.text() : escaped(text.text()), drops_rest};
}

space_prefix read_prepend_scheme(const json_node& step) {
  // Older files have add_prefix_space in its place.
  const char* by_flag = step.flag_or("add_prefix_space", true) ? "always" : "never";
  const auto scheme = step.text_or("prepend_scheme", by_flag);
  if (scheme == "always") return space_prefix::unless_space;
  if (scheme == "first") return space_prefix::first_unless_space;
  if (scheme == "never") return space_prefix::none;
  step.get("prepend_scheme").fail_kind("always, first or never");
}

void read_metaspace(const json_node& step, vocabulary& words, steps& found) {
  step.require_only({"type", "replacement", "str_rep", "prepend_scheme", "add_prefix_space", "split"});
  require_text(step.get("replacement"), mark);
  const auto prefix = read_prepend_scheme(step);
  if (found.prepends_mark && prefix != space_prefix::none)
    step.fail("a prefix beside that of Prepend is not supported");
  if (!found.prepends_mark) words.prefix = prefix;
  words.splits_at_spaces = step.flag_or("split", true);
  found.marks_spaces = found.is_metaspace = true;
}

void read_pre_tokenizer(const json_node& tokenizer, vocabulary& words, steps& found) {
  for_each_step(tokenizer.find("pre_tokenizer"), "pretokenizers", [&](const json_node& step) {
    const std::string& type = step.get("type").text();
    if (found.is_byte_level || found.is_metaspace)
      step.fail("nothing is supported after ByteLevel and Metaspace");
    if (type == "Metaspace") {
      if (!words.patterns.empty()) step.fail("Metaspace is supported only alone");
      read_metaspace(step, words, found);
    } else if (type == "Split") {
      words.patterns.push_back(read_split(step));
    } else if (type == "Digits") {
      words.patterns.push_back({step.flag_or("individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)", false});
    } else if (type == "ByteLevel") {
      step.require_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
      found.is_byte_level = true;
      if (step.flag_or("add_prefix_space", true)) {
        if (!words.patterns.empty()) step.get("add_prefix_space").fail("is supported only in the first step");
        words.prefix = space_prefix::unless_space;
      }
      if (step.flag_or("use_regex", true)) words.patterns.push_back({byte_level_pattern, false});
    } else {
      refuse_type(step);
    }
  });
}

void read_kind(const json_node& tokenizer, vocabulary& words, const steps& found) {
  const json_node type = tokenizer.get("model").get("type");
  if (type.text() == "BPE") {
    words.kind = found.is_byte_level ? tokenizer_kind::byte_pair : tokenizer_kind::character_pair;
  } else if (type.text() == "Unigram") {
    words.kind = tokenizer_kind::unigram;
    if (found.is_byte_level) type.fail("Unigram with ByteLevel is not supported");
  } else {
    type.fail(in_quotes(type.text()) + " is not supported; supported are BPE and Unigram");
  }
  if (words.kind == tokenizer_kind::byte_pair) {
    if (found.marks_spaces || found.prepends_mark)
      type.fail("ByteLevel with other marks for spaces is not supported");
    if (words.patterns.empty()) words.patterns.push_back({all_of_it, false});
    return;
  }
  if (!words.patterns.empty()) type.fail("a pre-tokenizer with patterns is supported only with ByteLevel");
  if (!found.marks_spaces) {
    type.fail(
        "wanted ByteLevel, Metaspace, or a normalizer that replaces spaces; without one it is not supported");
  }
}

void read_decoder(const json_node& tokenizer, vocabulary& words) {
  const bool is_byte_level = words.kind == tokenizer_kind::byte_pair;
  std::optional<json_node> last;
  bool has_marks = false;
  for_each_step(tokenizer.get("decoder"), "decoders", [&](const json_node& step) {
    const std::string& type = step.get("type").text();
    last = step;
    if (is_byte_level ? type == "ByteLevel" : type == "ByteFallback") return;
    if (type == "Fuse") return;
    if (!is_byte_level && type == "Metaspace") {
      require_text(step.get("replacement"), mark);
      words.drops_first_space = read_prepend_scheme(step) != space_prefix::none;
      has_marks = true;
    } else if (!is_byte_level && type == "Replace") {
      require_text(step.get("pattern").get("String"), mark);
      require_text(step.get("content"), " ");
      has_marks = true;
    } else if (!is_byte_level && type == "Strip") {
      require_text(step.get("content"), " ");
      if (step.get("start").natural() != 1 || step.get("stop").natural() != 0) {
        step.fail("wanted to strip one space at the start and none at the end");
      }
      words.drops_first_space = true;
    } else {
      refuse_type(step);
    }
  });
  if (!last) tokenizer.get("decoder").fail("has no step");
  if (!is_byte_level && !has_marks) last->fail("wanted a step that replaces the marks by spaces");
}

uint32_t id_of(const json_node& special, const json_node& table, size_t pieces) {
  const json_node ids = table.get(special.get("id").text()).get("ids");
  if (ids.size() != 1) ids.fail("wanted one id");
  return static_cast<uint32_t>(ids[0].natural(pieces - 1));
}

void read_template(const json_node& step, size_t pieces, vocabulary& words) {
  const json_node single = step.get("single");
  bool is_behind_text = false;
  for (const json_node& element : single.elements()) {
    if (element.find("Sequence")) {
      if (is_behind_text) element.fail("the text a second time is not supported");
      is_behind_text = true;
      continue;
    }
    const json_node special = element.get("SpecialToken");
    bool& is_there = is_behind_text ? words.add_eos : words.add_bos;
    if (is_there) element.fail("more than one token on one side of the text is not supported");
    is_there = true;
    (is_behind_text ? words.eos : words.bos) = id_of(special, step.get("special_tokens"), pieces);
  }
  if (!is_behind_text) single.fail("has no place for the text");
}

} // namespace

void read_pipeline(const json_node& tokenizer, vocabulary& words) {
  steps found;
  read_normalizer(tokenizer, words, found);
  read_pre_tokenizer(tokenizer, words, found);
  read_kind(tokenizer, words, found);
  read_decoder(tokenizer, words);
}

void read_post_processor(const json_node& tokenizer, size_t pieces, vocabulary& words) {
  bool has_template = false;
  for_each_step(tokenizer.find("post_processor"), "processors", [&](const json_node& step) {
    const std::string& type = step.get("type").text();
    if (type == "ByteLevel") return; // Concerns offsets only.
    if (type != "TemplateProcessing") refuse_type(step);
    if (has_template) step.fail("a second template is not supported");
    has_template = true;
    read_template(step, pieces, words);
  });
}

} // namespace troupe::detail
