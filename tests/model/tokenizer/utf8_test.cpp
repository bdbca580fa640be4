#include "model/utf8.hpp"
#include "support/catch.hpp"
#include "model/tokenizer/tokenizer_fixtures.hpp"

using namespace troupe;

namespace {

const std::string damaged = "\xEF\xBF\xBD";

std::string streamed(std::string_view text, rng& random) {
  utf8_stream stream;
  std::string out;
  while (!text.empty()) {
    const size_t cut = random.below(std::min<size_t>(text.size(), 9) + 1);
    out += stream.push(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  return out + stream.finish();
}

std::string whole(std::string_view text) {
  utf8_stream stream;
  std::string out = stream.push(text);
  return out + stream.finish();
}

} // namespace

TEST_CASE("a stream of valid text cut anywhere is the text") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    rng random(seed);
    const auto text = random_text(random, random.below(200));
    CHECK(streamed(text, random) == text);
    CHECK(is_utf8(text));
  }
}

TEST_CASE("text that is cut off or damaged anywhere is not UTF-8") {
  CHECK(is_utf8(""));
  for (const auto* text : {"\xC3", "a\xE2\x82", "\x80", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xC3 b"}) {
    INFO(text);
    CHECK_FALSE(is_utf8(text));
  }
}

TEST_CASE("a stream of any bytes gives the same wherever it is cut, and it is valid UTF-8") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    rng random(seed);
    const auto bytes = random_bytes(random, random.below(300));
    const auto out = streamed(bytes, random);
    CHECK(out == whole(bytes));
    CHECK(whole(out) == out);
    for (size_t at = 0; at < out.size();) {
      const auto step = utf8_next(out, at);
      REQUIRE(step.state == utf8_state::whole);
      at += step.bytes;
    }
  }
}

TEST_CASE("a stream never gives half a character") {
  utf8_stream stream;
  CHECK(stream.push("a\xF0\x9F") == "a");
  CHECK(stream.push("\x99").empty());
  CHECK(stream.push("\x82!") == "\xF0\x9F\x99\x82!");
  CHECK(stream.finish().empty());
  CHECK(stream.push("\xE4\xBD").empty());
  CHECK(stream.finish() == damaged);
  CHECK(stream.finish().empty());
}

// The examples of the Unicode Standard, tables 3-8 to 3-11.
TEST_CASE("one replacement stands for each maximal subpart of a damaged character") {
  CHECK(whole("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41")
        == damaged + damaged + damaged + damaged + damaged + damaged + damaged + damaged + "A");
  CHECK(whole("\xED\xA0\x80\x41") == damaged + damaged + damaged + "A"); // A surrogate.
  CHECK(whole("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42")
        == damaged + damaged + damaged + damaged + damaged + "A" + damaged + damaged + "B");
  CHECK(whole("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == damaged + damaged + damaged + damaged + "A");
}

TEST_CASE("every code point survives encoding and decoding") {
  for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point += code_point < 0x3000 ? 1 : 37) {
    if (code_point >= 0xD800 && code_point < 0xE000)
      continue;
    std::string text;
    append_utf8(text, code_point);
    const auto step = utf8_next(text, 0);
    REQUIRE(step.state == utf8_state::whole);
    REQUIRE(step.bytes == text.size());
    REQUIRE(utf8_code_point(text) == code_point);
  }
}
