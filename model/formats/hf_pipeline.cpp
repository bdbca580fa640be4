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

constexpr size_t content_bytes_max = 256; // Of what a normalizer puts into a text.

struct step_pattern {
  std::string text;
  bool is_expression; // Else it is found as it is.
};

step_pattern read_pattern(const json_node& step) {
  const json_node pattern = step.get("pattern");
  const auto regex = pattern.find("Regex");
  const json_node text = regex ? *regex : pattern.get("String");
  if (text.text().empty() || text.text().size() > expression_bytes_max)
    text.fail("wanted 1 to " + std::to_string(expression_bytes_max) + " bytes, found " + std::to_string(text.text().size()));
  return {text.text(), regex.has_value()};
}

void read_replace(const json_node& step, vocabulary& words, steps& found) {
  step.require_only({"type", "pattern", "content"});
  const step_pattern pattern = read_pattern(step);
  const json_node content = step.get("content");
  if (!pattern.is_expression && pattern.text == " " && content.text() == mark) {
    found.marks_spaces = true;
    return;
  }
  if (content.text().size() > content_bytes_max)
    content.fail("wanted at most " + std::to_string(content_bytes_max) + " bytes, found " + std::to_string(content.text().size()));
  words.rules.push_back(
      {.kind = text_rule_kind::replace, .pattern = pattern.text, .content = content.text(), .is_expression = pattern.is_expression});
}

void read_bert_normalizer(const json_node& step, vocabulary& words) {
  step.require_only({"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
  const bool is_lowercase = step.flag_or("lowercase", true);
  if (step.flag_or("clean_text", true)) words.rules.push_back({.kind = text_rule_kind::clean});
  if (step.flag_or("handle_chinese_chars", true)) words.rules.push_back({.kind = text_rule_kind::space_around_ideographs});
  if (step.flag_or("strip_accents", is_lowercase)) {
    words.rules.push_back({.kind = text_rule_kind::nfd});
    words.rules.push_back({.kind = text_rule_kind::strip_accents});
  }
  if (is_lowercase) words.rules.push_back({.kind = text_rule_kind::lowercase});
}

/// The bytes that a text in base64 (RFC 4648) stands for.
std::string from_base64(const json_node& node) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string_view text = node.text();
  if (text.size() % 4 != 0) node.fail("is not base64: it has " + std::to_string(text.size()) + " characters");
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::array<int, 256> values;
  values.fill(-1);
  for (size_t i = 0; i < digits.size(); ++i) values[static_cast<uint8_t>(digits[i])] = static_cast<int>(i);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = values[static_cast<uint8_t>(c)];
    if (value < 0) node.fail("is not base64: it has the character " + in_quotes(std::string_view(&c, 1)));
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

/// The steps that are one rule and have no settings.
std::optional<text_rule_kind> plain_rule(std::string_view type) {
  constexpr std::pair<std::string_view, text_rule_kind> all[] = {
      {"NFC", text_rule_kind::nfc},   {"NFD", text_rule_kind::nfd},   {"NFKC", text_rule_kind::nfkc},
      {"NFKD", text_rule_kind::nfkd}, {"Lowercase", text_rule_kind::lowercase}, {"StripAccents", text_rule_kind::strip_marks},
  };
  for (const auto& [name, kind] : all)
    if (name == type) return kind;
  return std::nullopt;
}

void read_normalizer(const json_node& tokenizer, vocabulary& words, steps& found) {
  for_each_step(tokenizer.find("normalizer"), "normalizers", [&](const json_node& step) {
    const std::string& type = step.get("type").text();
    if (type == "Prepend") {
      if (found.prepends_mark) step.fail("a second Prepend is not supported");
      require_text(step.get("prepend"), mark);
      found.prepends_mark = true;
      return;
    }
    const size_t before = words.rules.size();
    const bool is_last = found.marks_spaces || found.prepends_mark;
    if (type == "Replace")
      read_replace(step, words, found);
    else if (type == "BertNormalizer")
      read_bert_normalizer(step, words);
    else if (type == "Precompiled")
      words.rules.push_back({.kind = text_rule_kind::charsmap, .content = from_base64(step.get("precompiled_charsmap"))});
    else if (type == "Strip")
      words.rules.push_back(
          {.kind = text_rule_kind::strip, .left = step.flag_or("strip_left", true), .right = step.flag_or("strip_right", true)});
    else if (const auto rule = plain_rule(type))
      words.rules.push_back({.kind = *rule});
    else
      refuse_type(step);
    if (is_last && words.rules.size() > before)
      step.fail(in_quotes(type) + " is supported only before the steps that put \"\xE2\x96\x81\" into a text");
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
  const step_pattern pattern = read_pattern(step);
  const json_node behavior = step.get("behavior");
  const bool invert = step.flag_or("invert", false);
  const bool drops_rest = behavior.text() == "Removed" && invert;
  if (behavior.text() != "Isolated" && !drops_rest) {
    behavior.fail(in_quotes(behavior.text()) + (invert ? " with invert" : "") +
                  " is not supported; supported are Isolated, and Removed with invert");
  }
  return {pattern.is_expression ? pattern.text : escaped(pattern.text), drops_rest};
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
    if (type == "WhitespaceSplit" || type == "BertPreTokenizer") {
      if (!words.patterns.empty() || words.split != word_split::none) step.fail("is supported only in the first step");
      words.split = type == "BertPreTokenizer" ? word_split::bert : word_split::white_space;
    } else if (type == "Metaspace") {
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
  } else if (type.text() == "WordPiece") {
    words.kind = tokenizer_kind::word_piece;
    if (words.split != word_split::bert || !words.patterns.empty() || found.is_byte_level || found.is_metaspace)
      type.fail("WordPiece is supported only with BertPreTokenizer");
    if (found.marks_spaces || found.prepends_mark) type.fail("WordPiece with marks for spaces is not supported");
    return;
  } else {
    type.fail(in_quotes(type.text()) + " is not supported; supported are BPE, Unigram and WordPiece");
  }
  if (words.split == word_split::bert || (words.split == word_split::white_space && !found.is_metaspace))
    type.fail("words are cut in a way that is supported only with WordPiece (BertPreTokenizer) or Metaspace (WhitespaceSplit)");
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

void read_word_piece_decoder(const json_node& tokenizer, vocabulary& words) {
  const json_node decoder = tokenizer.get("decoder");
  if (decoder.get("type").text() != "WordPiece") refuse_type(decoder);
  require_text(decoder.get("prefix"), tokenizer.get("model").text_or("continuing_subword_prefix", "##"));
  words.cleans_up = decoder.flag_or("cleanup", true);
}

void read_decoder(const json_node& tokenizer, vocabulary& words) {
  if (words.kind == tokenizer_kind::word_piece) return read_word_piece_decoder(tokenizer, words);
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

using item_kind = template_item::item_kind;

/// The items of a TemplateProcessing's `single` or `pair`.
std::vector<template_item> read_items(const json_node& list, const json_node& step, size_t pieces, bool is_pair) {
  constexpr size_t items_max = 64;
  std::vector<template_item> items;
  size_t firsts = 0, seconds = 0;
  if (list.size() > items_max)
    list.fail("has " + std::to_string(list.size()) + " elements; " + std::to_string(items_max) + " are supported");
  for (const json_node& element : list.elements()) {
    const auto sequence = element.find("Sequence");
    const json_node what = sequence ? *sequence : element.get("SpecialToken");
    template_item item;
    if (const auto type = what.find("type_id")) item.segment = static_cast<uint8_t>(type->natural(1));
    if (!sequence) {
      item.id = id_of(what, step.get("special_tokens"), pieces);
    } else {
      const bool is_first = what.text_or("id", "A") == "A";
      if (!is_first) require_text(what.get("id"), "B");
      if (!is_first && !is_pair) what.get("id").fail("there is no second text here");
      if (++(is_first ? firsts : seconds) > 1) element.fail("the text a second time is not supported");
      item.kind = is_first ? item_kind::first_text : item_kind::second_text;
    }
    items.push_back(item);
  }
  if (firsts == 0) list.fail("has no place for the text");
  if (is_pair && seconds == 0) list.fail("has no place for the second text");
  return items;
}

/// A template with at most one token on each side is what BOS and EOS are for.
void set_single(const std::vector<template_item>& items, vocabulary& words) {
  std::optional<uint32_t> before, after;
  bool is_behind = false, is_plain = true;
  for (const auto& item : items) {
    is_plain = is_plain && item.segment == 0;
    if (item.kind == item_kind::first_text) {
      is_behind = true;
      continue;
    }
    auto& place = is_behind ? after : before;
    is_plain = is_plain && !place;
    place = item.id;
  }
  if (!is_plain) {
    words.single = items;
    return;
  }
  if (before) words.bos = before;
  if (after) words.eos = after;
  words.add_bos = before.has_value();
  words.add_eos = after.has_value();
}

void read_template(const json_node& step, size_t pieces, vocabulary& words) {
  set_single(read_items(step.get("single"), step, pieces, false), words);
  const auto pair = step.find("pair");
  if (pair && pair->size() > 0) words.pair = read_items(*pair, step, pieces, true);
}

/// A token written as [text, id].
uint32_t read_named_id(const json_node& node, size_t pieces) {
  if (node.size() != 2) node.fail("wanted a token and its id");
  return static_cast<uint32_t>(node[1].natural(pieces - 1));
}

/// BertProcessing: [CLS] A [SEP] B [SEP]. RobertaProcessing: <s> A </s></s> B </s>, all of it segment 0.
void read_fixed_template(const json_node& step, bool is_roberta, size_t pieces, vocabulary& words) {
  step.require_only({"type", "sep", "cls", "trim_offsets", "add_prefix_space"});
  const uint32_t begin = read_named_id(step.get("cls"), pieces), end = read_named_id(step.get("sep"), pieces);
  const uint8_t second = is_roberta ? 0 : 1;
  const template_item first{item_kind::token, begin, 0}, text{item_kind::first_text, 0, 0}, behind{item_kind::token, end, 0};
  set_single({first, text, behind}, words);
  words.pair = {first, text, behind};
  if (is_roberta) words.pair.push_back(behind);
  words.pair.push_back({item_kind::second_text, 0, second});
  words.pair.push_back({item_kind::token, end, second});
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
    const bool is_roberta = type == "RobertaProcessing";
    if (type == "ByteLevel" || is_roberta) words.trims_offsets = step.flag_or("trim_offsets", true);
    if (type == "ByteLevel") return;
    if (type != "TemplateProcessing" && type != "BertProcessing" && !is_roberta) refuse_type(step);
    if (has_template) step.fail("a second template is not supported");
    has_template = true;
    if (type == "TemplateProcessing") return read_template(step, pieces, words);
    read_fixed_template(step, is_roberta, pieces, words);
  });
}

} // namespace troupe::detail
