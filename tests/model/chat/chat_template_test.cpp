// Goal: a chat template gives the text that jinja2 gives (tests/chat compares with it at length), and one that is damaged or hostile ends
// in one clear error, in bounded time and memory.
#include "model/chat/chat_template.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include "support/catch.hpp"

using namespace troupe;

namespace {

json_value variables(const std::string& members) {
  const json_file file("variables", members);
  return {file.root().members()};
}

std::string render(const std::string& source, const std::string& members = "{}") {
  return chat_template(source).render(variables(members));
}

/// Of parsing or rendering; empty where there is none.
std::string error_of(const std::string& source, const std::string& members = "{}") {
  try {
    render(source, members);
  } catch (const input_error& error) {
    return error.what();
  }
  return "";
}

std::string repeated(const std::string& part, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += part;
  return all;
}

const std::string conversation = R"({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hi <there> "}],
  "add_generation_prompt": true, "bos_token": "<s>"})";

} // namespace

TEST_CASE("a conversation becomes the prompt that its template describes") {
  CHECK(render(R"({{ bos_token }}{% for message in messages %}
{%- if loop.first and message.role == 'system' %}[{{ message['content'] | trim }}]
{% else %}<|{{ message.role | upper }}|>{{ message.content | trim }}
{% endif %}{% endfor %}
{% if add_generation_prompt %}<|ASSISTANT|>{% endif %}
)",
               conversation) == "<s>[Be brief.]\n<|USER|>Hi <there>\n<|ASSISTANT|>");
}

TEST_CASE("a template without variables of its own gives ChatML or plain lines, as the vocabulary has pieces for it") {
  vocabulary words;
  const auto text = [&] { return render(chat_template_source(words), conversation); };
  CHECK(text() == "System: Be brief.\nUser:  Hi <there> \nAssistant:");
  words.pieces = {"<|im_start|>", "<|im_end|>"};
  CHECK(text() == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi <there> <|im_end|>\n<|im_start|>assistant\n");
  const std::string parts = R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"text": "b"}]},
    {"role": "assistant", "content": null}]})";
  CHECK(render(chat_template_source(words), parts) == "<|im_start|>user\nab<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n");
  words.chat_template = "its own";
  CHECK(text() == "its own");
}

TEST_CASE("values print as Python prints them") {
  CHECK(render("{{ [1, 1.0, 1e16, true, none, 'a\\'b', \"c\", ('x',), {'k': []}, missing] }}") ==
        "[1, 1.0, 1e+16, True, None, \"a'b\", 'c', ('x',), {'k': []}, Undefined]");
  CHECK(render("{{ x | tojson }} {{ x | tojson(indent=1) }}", R"({"x": {"b": "é<\n", "a": [1.5, null]}})") ==
        "{\"b\": \"é<\\n\", \"a\": [1.5, null]} {\n \"b\": \"é<\\n\",\n \"a\": [\n  1.5,\n  null\n ]\n}");
  CHECK(render("{{ missing }}{{ 'äöü'[1:] ~ ('äöü' | length) }}") == "öü3");
}

TEST_CASE("raise_exception() ends a rendering with its text alone") {
  CHECK(error_of("{{ raise_exception('Roles must ' ~ 'alternate!') }}") == "Roles must alternate!");
}

TEST_CASE("errors name the line and what is wrong") {
  CHECK(error_of("a\n{{ x.y.z }}", R"({"x": {}})") == "chat template, line 2: 'dict object' has no attribute 'y'");
  CHECK(error_of("{% if x %}\n\n{% include 'y' %}{% endif %}") ==
        "chat template, line 3: the tag include is not known, or not supported here");
  CHECK(error_of("{{ x | xmlattr }}") == "chat template, line 1: the filter xmlattr is not supported");
  CHECK(error_of("{{ x is strange }}") == "chat template, line 1: the test strange is not supported");
  CHECK(error_of("\n{{ 1 + 'a' }}") == "chat template, line 2: '+' does not go with int and str");
  CHECK(error_of("{% for x in y %}") == "chat template, line 1: expected the tag endfor, found the end of the template");
  CHECK(error_of("{{ [].append(1) }}") == "chat template, line 1: access to attribute 'append' of 'list' object is unsafe");
  CHECK(error_of("\xff") == "chat template: is not UTF-8");
}

TEST_CASE("the date of strftime_now is the one that the variables give, and no clock's") {
  const std::string now = R"({"strftime_now": "2024-02-29T13:05:09"})";
  CHECK(render("{{ strftime_now('%d %b %Y, %A, %H:%M:%S %I %p %j') }}", now) == "29 Feb 2024, Thursday, 13:05:09 01 PM 060");
  CHECK(render("{{ strftime_now('%a %Y-%m-%d') }}", R"({"strftime_now": "2026-11-30"})") == "Mon 2026-11-30");
  CHECK(render("{{ strftime_now is defined }}") == "False");
  for (const std::string wrong : {"2023-02-29", "2026-13-01", "2026-1-1x", "now", "", "2026-11-30T25:00:00"}) {
    INFO(wrong);
    CHECK(error_of("x", R"({"strftime_now": ")" + wrong + "\"}") != "");
  }
}

TEST_CASE("a rendering changes nothing that the next one sees") {
  const chat_template one("{% set ns = namespace(n=n) %}{% for x in l %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}");
  const auto given = variables(R"({"n": 1, "l": [1, 2]})");
  CHECK(one.render(given) == "4");
  CHECK(one.render(given) == "4");
}

TEST_CASE("nesting is bounded, in templates, values and calls") {
  const size_t many = 100'000;
  for (const std::string& source :
       {"{{ " + repeated("(", many) + "1" + repeated(")", many) + " }}", "{{ " + repeated("[", many) + repeated("]", many) + " }}",
        "{{ " + repeated("not ", many) + "1 }}", "{{ " + repeated("-", many) + "1 }}", "{{ " + repeated("1 + ", many) + "1 }}",
        "{{ x" + repeated(".a", many) + " }}", "{{ x" + repeated("()", many) + " }}", "{{ x" + repeated("|e", many) + " }}",
        "{{ x" + repeated("[0", many) + repeated("]", many) + " }}", "{{ " + repeated("1 if ", many) + "1 }}",
        "{{ " + repeated("f(", many) + repeated(")", many) + " }}", "{{ " + repeated("{1:", many) + repeated("}", many) + " }}",
        repeated("{% if 1 %}", 60'000), repeated("{% for x in y %}", 60'000), "{{ 1" + repeated(" is odd()", many) + " }}",
        "{{ " + repeated("1 or ", many) + "1 }}", "{% set x" + repeated("|e", many) + " %}{% endset %}"}) {
    INFO(source.substr(0, 40));
    CHECK_THAT(error_of(source), ContainsSubstring("nested too deeply"));
  }
  CHECK_THAT(error_of("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), ContainsSubstring("nested too deeply"));
  CHECK_THAT(error_of("{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}"),
             ContainsSubstring("nested too deeply"));
  CHECK_THAT(error_of("{% set ns = namespace() %}{% set ns.ns = ns %}{{ ns }}"), ContainsSubstring("nested too deeply"));
  CHECK(render("{{ " + repeated("(", 60) + "1" + repeated(")", 60) + " }}") == "1");
  CHECK(render("{{ 1" + repeated(" ~ 1", 5000) + " }}").size() == 5001);
}

TEST_CASE("steps, memory and output are bounded") {
  CHECK_THAT(error_of("{% set all = range(99999) %}{% for a in all %}{% for b in all %}{% endfor %}{% endfor %}"), ContainsSubstring("steps"));
  CHECK_THAT(error_of("{{ 'a' * 1000000000 }}"), ContainsSubstring("values of more than"));
  CHECK_THAT(error_of("{{ [1] * 9000000000000000000 }}"), ContainsSubstring("values of more than"));
  CHECK_THAT(error_of("{{ 'a'.ljust(9000000000000000000) }}"), ContainsSubstring("values of more than"));
  CHECK_THAT(error_of("{{ 'a' | indent(9000000000000000000) }}"), ContainsSubstring("values of more than"));
  CHECK_THAT(error_of("{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"),
             ContainsSubstring("values of more than"));
  CHECK_THAT(error_of("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}"),
             ContainsSubstring("more than"));
  CHECK_THAT(error_of("{% set x = 'a' * 10000000 %}{{ x }}{{ x }}"), ContainsSubstring("prints more than"));
  CHECK_THAT(error_of("{{ range(100001) }}"), ContainsSubstring("range"));
  CHECK_THAT(error_of("{{ 3037000500 * 3037000500 }}"), ContainsSubstring("beyond 64 bits"));
  CHECK_THAT(error_of("{{ '%99999999d' % 1 }}"), ContainsSubstring("wider"));
  CHECK_THAT(error_of(std::string(chat_template_bytes_max + 1, 'a')), ContainsSubstring("are read"));
  CHECK(render(std::string(chat_template_bytes_max, 'a')).size() == chat_template_bytes_max);
}

TEST_CASE("what escapes from a loop or a macro may be used behind it") {
  CHECK(render("{% set ns = namespace() %}{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{% set ns.m = m %}{% set ns.l = loop %}"
               "{% endfor %}{{ ns.m() }}{{ ns.l.length }}") == "22");
  CHECK(render("{% set ns = namespace() %}{% macro m() %}{% set ns.c = caller %}{% endmacro %}{% with a = 5 %}{% call m() %}{{ a }}"
               "{% endcall %}{% endwith %}{{ ns.c() }}") == "5");
  CHECK(render("{% set ns = namespace() %}{% for x in [1] recursive %}{% set ns.l = loop %}{% endfor %}{{ ns.l.index }}") == "1");
  CHECK_THAT(error_of("{% set ns = namespace() %}{% for x in [1] recursive %}{% set ns.l = loop %}{% endfor %}{{ ns.l([1]) }}"),
             ContainsSubstring("not recursive"));
}

TEST_CASE("variables must be an object of UTF-8 texts") {
  CHECK_THROWS_AS(chat_template("x").render({json_value::array{}}), input_error);
  CHECK_THROWS_AS(chat_template("x").render({json_value::object{{"a", {std::string("\xff")}}}}), input_error);
  CHECK_THROWS_AS(chat_template("x").render({json_value::object{{"a", {~uint64_t(0)}}}}), input_error);
}
