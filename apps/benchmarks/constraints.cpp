// What constraints cost (model/constraints), one thread:
//
//   index             the index of a vocabulary, once for a model.
//   compile/NAME      from the text of a constraint to its automaton, once or twice for a request.
//   mask/NAME         the masks of all tokens of a document, each request beginning with nothing known: the time is that of a document;
//                     the counters say what one mask takes, the median and the worst, and how many there were.
//
// The vocabulary is a made-up one of 128,000 tokens, of bytes, words, parts of words, numbers and punctuation, or that of a folder with
// a tokenizer.json, named in TROUPE_VOCABULARY.
#include "model/constraints/automaton.hpp"
#include "model/constraints/constraint.hpp"
#include "model/constraints/matcher.hpp"
#include "model/formats/hf_vocabulary.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>
#include <unordered_map>

namespace troupe {
namespace {

constexpr size_t made_up_tokens = 128'000;

/// Most tokens are words, with a space before them or without, as in the vocabularies of today's models.
std::vector<std::string> make_up_texts() {
  std::mt19937_64 random(1);
  const auto one_of = [&](const auto& list) { return list[random() % std::size(list)]; };
  static const std::vector<std::string> syllables{"an", "be", "ci", "con", "de", "er", "est", "for", "ing", "ion",
                                                  "ka", "ly", "me",
                                                  "ment", "na", "ness", "or", "pre", "qu", "re", "s", "sh", "st", "ti", "un", "ver", "y",
                                                  "ö", "字"};
  static const std::vector<std::string> marks{"\"", "\":", "\",", "{", "}", "[", "]", "(", ")", ";", ",", ".", "=", "//",
                                              "\n", "\n  ", "    ",
                                              "\\n", "->", "::", "<", ">", "_", "-", "'", "\t", "\xe5", "\xad"};
  std::set<std::string> texts;
  for (int byte = 0; byte < 256; ++byte) texts.insert(std::string(1, char(byte)));
  for (int number = 0; number < 1000; ++number) texts.insert(std::to_string(number));
  while (texts.size() < made_up_tokens) {
    std::string text;
    const auto draw = random() % 100;
    if (draw < 12) {
      for (auto count = 1 + random() % 4; count > 0; --count) text += one_of(marks);
      if (random() % 2) text += one_of(syllables);
    } else {
      if (draw < 55) text = " ";
      for (auto count = 1 + random() % 4; count > 0; --count) text += one_of(syllables);
      if (random() % 4 == 0 && text[0] >= 'a' && text[0] <= 'z') text[0] = char(text[0] - 'a' + 'A');
    }
    texts.insert(text);
  }
  return {texts.begin(), texts.end()};
}

const std::shared_ptr<const tokenizer>& published() {
  static const auto words = [] {
    const char* folder = std::getenv("TROUPE_VOCABULARY");
    return folder ? std::shared_ptr<const tokenizer>(make_tokenizer(read_hf_vocabulary(folder, hf_vocabulary_size(folder)))) : nullptr;
  }();
  return words;
}

token_index make_index() {
  static const auto made_up = published() ? std::vector<std::string>{} : make_up_texts();
  return published() ? token_index(*published()) : token_index(made_up);
}

void build_index(benchmark::State& state) {
  make_index();
  for (auto _ : state) benchmark::DoNotOptimize(make_index());
}

struct example {
  const char* name;
  text_constraint constraint;
  const char* document;
};

void compile_one(benchmark::State& state, const example& one) {
  for (auto _ : state) benchmark::DoNotOptimize(compile(one.constraint));
}

/// The longest token that fits, again and again.
std::vector<uint32_t> tokens_of(std::string_view text, const token_index& index) {
  static std::unordered_map<std::string, uint32_t> known;
  if (known.empty())
    for (uint32_t token = 0; token < index.vocabulary(); ++token) known.try_emplace(std::string(index.text(token)), token);
  std::vector<uint32_t> tokens;
  while (!text.empty()) {
    size_t bytes = std::min<size_t>(text.size(), 32);
    while (bytes > 1 && !known.contains(std::string(text.substr(0, bytes)))) --bytes;
    tokens.push_back(known.at(std::string(text.substr(0, bytes))));
    text.remove_prefix(bytes);
  }
  return tokens;
}

void make_masks(benchmark::State& state, const example& one) {
  static const auto index = std::make_shared<const token_index>(make_index());
  const auto tokens = tokens_of(one.document, *index);
  const auto compiled = compile(one.constraint);
  std::vector<double> times;
  for (auto _ : state) {
    constraint_matcher matcher(compiled, index);
    for (const uint32_t token : tokens) {
      const auto begin = std::chrono::steady_clock::now();
      const auto* mask = &matcher.allowed();
      benchmark::DoNotOptimize(mask);
      times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
      if (!matcher.advance(token)) return state.SkipWithError("the document is not allowed");
    }
    if (!matcher.may_end()) return state.SkipWithError("the document is not complete");
  }
  std::ranges::sort(times);
  state.counters["median_us"] = times[times.size() / 2];
  state.counters["p99_us"] = times[times.size() * 99 / 100];
  state.counters["worst_us"] = times.back();
  state.counters["masks"] = double(tokens.size());
}

const std::vector<example>& examples() {
  static const std::vector<example> all{
    {"person",
     {constraint_kind::json_schema,
      R"({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 130},
  "email": {"type": "string", "format": "email"}, "address": {"type": "object", "properties": {"street": {"type": "string"},
  "city": {"type": "string"}, "zip": {"type": "string", "pattern": "^[0-9]{5}$"}}, "required": ["street", "city"]},
  "tags": {"type": "array", "items": {"enum": ["new", "regular", "friend", "enemy"]}}, "score": {"type": "number"}},
  "required": ["name", "age", "address"], "additionalProperties": false})"},
     R"({"name": "Connie Berest", "age": 42, "email": "connie@example.org", "address": {"street": "12 Mention Street", "city": "Vermont",
  "zip": "12345"}, "tags": ["regular", "friend"], "score": -17.25})"},
    {"text_of_200",
     {constraint_kind::json_schema, R"({"type": "object",
  "properties": {"summary": {"type": "string", "maxLength": 200}}, "required": ["summary"]})"},
     R"({"summary": "A text of some length that says what another text says in more words, )"
     R"(and does so without a line that is too long, until it ends."})"},
    {"any_object",
     {constraint_kind::json_object, ""},
     R"({"items": [{"id": 1, "label": "first \"one\"", "flags": [true, false, null]},
  {"id": 2.5e3, "label": "", "more": {"deep": {"deeper": []}}}]})"},
    {"tree",
     {constraint_kind::json_schema,
      R"({"$defs": {"node": {"type": "object", "properties": {"value": {"type": "string"}, "children": {"type": "array",
  "items": {"$ref": "#/$defs/node"}}}, "required": ["value", "children"]}}, "$ref": "#/$defs/node"})"},
     R"({"value": "root", "children": [{"value": "left", "children": []},
  {"value": "right", "children": [{"value": "leaf", "children": []}]}]})"},
    {"regex", {constraint_kind::regex, "(?:[A-Z][a-z]+ ){2,5}\\(\\d{4}-\\d{2}-\\d{2}\\): .{1,200}"},
     "The Verest Connection (2024-05-17): all that there is to say about it, and some more."},
    {"arithmetic",
     {constraint_kind::grammar, "root ::= sum\nsum ::= product ([-+] product)*\nproduct ::= value ([*/] value)*\n"
                                "value ::= [0-9]+ | [a-z]+ | \"(\" sum \")\"\n"},
     "(12+width*(height-3))/((a+b)*(c-d))+4711*(x+(y-(z*100)))"},
  };
  return all;
}

void register_all() {
  benchmark::RegisterBenchmark("index", build_index)->Unit(benchmark::kMillisecond);
  for (const auto& one : examples())
    benchmark::RegisterBenchmark((std::string("compile/") + one.name).c_str(), compile_one, one)->Unit(benchmark::kMicrosecond);
  for (const auto& one : examples())
    benchmark::RegisterBenchmark((std::string("mask/") + one.name).c_str(), make_masks, one)->Unit(benchmark::kMicrosecond);
}

} // namespace
} // namespace troupe

int main(int argc, char** argv) {
  troupe::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
