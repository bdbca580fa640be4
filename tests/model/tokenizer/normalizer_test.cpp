// Goal: rules change a text as the libraries do that they come from, and each byte of the result knows where it came from.
#include "model/tokenizer/normalizer.hpp"
#include "model/error.hpp"
#include "model/tokenizer/charsmap_fixtures.hpp"
#include "model/tokenizer/tokenizer_fixtures.hpp"
#include "model/tokenizer/unicode_forms.hpp"
#include "support/catch.hpp"

using namespace troupe;
using kind = text_rule_kind;

namespace {

rewritten_text apply(std::vector<text_rule> rules, const std::string& text, size_t offset = 0) {
  vocabulary words;
  words.kind = tokenizer_kind::word_piece; // Which puts no marks into it.
  words.rules = std::move(rules);
  return normalizer(words).apply(rewritten_text(text, offset, true));
}

std::string changed(std::vector<text_rule> rules, const std::string& text) { return apply(std::move(rules), text).text(); }

/// What the bytes [begin, end) of the result were.
std::string was(const std::string& original, const rewritten_text& text, size_t begin, size_t end) {
  const auto range = text.origin(begin, end);
  return original.substr(range.begin, range.end - range.begin);
}

text_rule sentencepiece(const std::string& map, bool drops_spaces = true, bool adds_space = true) {
  return {.kind = kind::sentencepiece, .content = map, .drops_spaces = drops_spaces, .adds_space = adds_space};
}

} // namespace

TEST_CASE("Unicode's forms compose, decompose and order marks") {
  CHECK(changed({{kind::nfc}}, "e\u0301x") == "\u00e9x");
  CHECK(changed({{kind::nfd}}, "\u00e9x") == "e\u0301x");
  CHECK(changed({{kind::nfd}}, "a\u0301\u0323") == "a\u0323\u0301"); // By their classes.
  CHECK(changed({{kind::nfc}}, "a\u0301\u0323") == "\u1ea1\u0301");
  CHECK(changed({{kind::nfkc}}, "\ufb01 \uff21 \u00bd") == "fi A 1\u20442");
  CHECK(changed({{kind::nfkd}}, "\ufb01\u00e9") == "fie\u0301");
  CHECK(changed({{kind::nfc}}, "\u1112\u1161\u11ab") == "\ud55c");
  CHECK(changed({{kind::nfc}}, "\xff"
                               "e\u0301\xc3") == "\xff\u00e9\xc3");
}

TEST_CASE("the forms of random texts are those of the whole text at once") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    rng random(seed);
    std::string text;
    constexpr uint32_t marks[] = {0x301, 0x323, 0x307, 0x302, 0x327, 0x1161, 0x11A8, 0x9BE, 0x3099, 0x338};
    constexpr uint32_t bases[] = {'a', 'e', 'o', 0x1EA1, 0xC5, 0x1112, 0x9C7, 0x304B, 0x3C, 0xFB01, 0x2126, 0xAC00};
    for (size_t i = 1 + random.below(12); i > 0; --i)
      append_utf8(text, random.below(2) ? marks[random.below(10)] : bases[random.below(12)]);
    const auto composed = changed({{kind::nfc}}, text), decomposed = changed({{kind::nfd}}, text);
    CHECK(changed({{kind::nfc}}, decomposed) == composed);
    CHECK(changed({{kind::nfd}}, composed) == decomposed);
    CHECK(changed({{kind::nfc}}, composed) == composed);
    CHECK(compose(text) == composed);
  }
}

TEST_CASE("lower case goes character by character") {
  CHECK(changed({{kind::lowercase}}, "HELLO \u00c9\u03a3 \u0130") == "hello \u00e9\u03c3 i\u0307");
}

TEST_CASE("accents that take no space are dropped, other marks only by strip_marks") {
  CHECK(changed({{kind::strip_accents}}, "e\u0301\u0903") == "e\u0903");
  CHECK(changed({{kind::strip_marks}}, "e\u0301\u0903") == "e");
}

TEST_CASE("BERT's cleaning drops control characters and makes white space spaces") {
  const std::string text = std::string("a\tb\r\nc\u00a0d\u200be\ufffd\u0007f") + '\0' + "g\ue000h\xff";
  CHECK(changed({{kind::clean}}, text) == "a b  c defgh");
  CHECK(changed({{kind::space_around_ideographs}}, "a\u4e2d\u6587b\u3042") == "a \u4e2d  \u6587 b\u3042");
}

TEST_CASE("a text and an expression are replaced wherever they are") {
  CHECK(changed({{.kind = kind::replace, .pattern = "``", .content = "\""}}, "``a``b`") == "\"a\"b`");
  CHECK(changed({{.kind = kind::replace, .pattern = " {2,}", .content = "_", .is_expression = true}}, "a  b c   \xff  ") == "a_b c_\xff_");
  CHECK(changed({{.kind = kind::strip, .right = true}}, " a \u3000") == " a");
  CHECK(changed({{.kind = kind::strip, .left = true, .right = true}}, " \n ").empty());
}

TEST_CASE("every byte knows what it was") {
  const std::string text = "\u00c9t\u00c9 \ufb01";
  const auto lower = apply({{kind::nfd}, {kind::strip_accents}, {kind::lowercase}}, text);
  REQUIRE(lower.text() == "ete \ufb01");
  CHECK(was(text, lower, 0, 1) == "\u00c9");
  CHECK(was(text, lower, 1, 3) == "t\u00c9");
  CHECK(was(text, lower, 3, 4) == " ");
  const auto offset = apply({{kind::lowercase}}, "AB", 100);
  CHECK(offset.origin(1).begin == 101);
  CHECK(offset.origin(1, 2).end == 102);
}

TEST_CASE("sentencepiece takes the longest rule and leaves one space between words") {
  const auto map = make_charsmap({{"a", "x"}, {"ab", "yz"}, {"\t", " "}, {"\u3000", " "}});
  const std::string text = " \tca \u3000 abb ";
  const auto found = apply({sentencepiece(map)}, text);
  CHECK(found.text() == "▁cx▁yzb");
  CHECK(was(text, found, 0, 3).empty());
  CHECK(was(text, found, 4, 5) == "a");
  CHECK(was(text, found, 8, 10) == "ab");
  CHECK(changed({sentencepiece(map, false)}, " b  ") == "▁▁b▁▁");
  CHECK(changed({sentencepiece(map, true, false)}, " b  b ") == "b▁b");
  CHECK(changed({sentencepiece(map)}, " \t ").empty());
  CHECK(changed({sentencepiece({})}, "\xff\xe4") == "▁\ufffd\ufffd");
}

TEST_CASE("tokenizer.json replaces a short grapheme cluster by the rule for its shortest beginning") {
  const auto map = make_charsmap({{"\r", " "}, {"e\u0301", "\u00e9"}, {"n", "m"}});
  CHECK(changed({{.kind = kind::charsmap, .content = map}}, "a\r\nb\ne\u0301\u0302n") == "a b\n\u00e9m");
  // Six bytes: by characters.
  CHECK(changed({{.kind = kind::charsmap, .content = map}}, "n\u0301\u0301\u0301") == "m\u0301\u0301\u0301");
}

TEST_CASE("a damaged charsmap is refused, and one that lies leads nowhere") {
  const auto good = make_charsmap({{"ab", "x"}});
  const auto refused = [](const std::string& map, const char* reason) {
    CHECK_THROWS_WITH(charsmap(map), ContainsSubstring(reason));
    CHECK_THROWS_AS(charsmap(map), input_error);
  };
  refused("abc", "at least 4");
  refused(good.substr(0, 40), "says that its trie has");
  refused(good.substr(0, good.size() - 1), "does not end with a zero byte");
  refused(good.substr(0, good.size() - 2), "does not end with a zero byte");
  refused(good.substr(0, good.size() - 1) + std::string(300, 'y') + '\0', "a text of 301 bytes");
  auto far = make_charsmap({{"a", "x"}, {"b", "yyyy"}});
  far.resize(far.size() - 5); // Without the second text.
  refused(far, "leads to byte 2 of its texts, which have 2");
  for (uint64_t seed = 1; seed <= 300; ++seed) { // Any trie: searches end, within the map.
    INFO("seed " << seed);
    rng random(seed);
    std::string map = random_bytes(random, 4 + 4 * 300) + "x" + '\0';
    const uint32_t bytes = 4 * 300;
    std::memcpy(map.data(), &bytes, 4);
    for (size_t i = 0; i < 300; ++i) map[4 + 4 * i + 3] = static_cast<char>(map[4 + 4 * i + 3] & 0x7F); // No values.
    const charsmap found(map);
    const auto text = random_bytes(random, 100);
    for (size_t at = 0; at < text.size(); ++at) {
      const auto match = found.longest(std::string_view(text).substr(at));
      CHECK(match.value_or(charsmap::match{}).length <= 256);
    }
  }
}

TEST_CASE("texts that a rule would blow up beyond all bounds are refused") {
  const std::vector<text_rule> rules{{.kind = kind::replace, .pattern = "a", .content = std::string(256, 'b')}};
  CHECK(changed(rules, "a").size() == 256);
  CHECK_THROWS_WITH(changed(rules, std::string(1000, 'a')), ContainsSubstring("would make more than"));
  const auto map = make_charsmap({{"a", std::string(200, 'b')}});
  CHECK_THROWS_WITH(changed({sentencepiece(map)}, std::string(1000, 'a')), ContainsSubstring("would make more than"));
  CHECK_THROWS_WITH(changed({{.kind = kind::charsmap, .content = map}}, std::string(1000, 'a')), ContainsSubstring("would make more than"));
}
