// Goal: tokens know the part of a text they are of, whatever was done to it; two texts become one input, cut where that is wanted.
#include "model/error.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "model/tokenizer/tokenizer_fixtures.hpp"
#include "support/catch.hpp"

using namespace troupe;
using strings = std::vector<std::string>;
using item_kind = template_item::item_kind;

namespace {

/// [PAD] [UNK] [CLS] [SEP], then these; BERT's rules, lower case, and its templates.
vocabulary bert_words(const strings& pieces) {
  vocabulary words;
  words.kind = tokenizer_kind::word_piece;
  words.split = word_split::bert;
  words.continuing_prefix = "##";
  words.cleans_up = true;
  for (const auto kind : {text_rule_kind::clean, text_rule_kind::space_around_ideographs, text_rule_kind::nfd,
                          text_rule_kind::strip_accents, text_rule_kind::lowercase})
    words.rules.push_back({.kind = kind});
  words.added_tokens.emplace();
  for (const char* text : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) {
    const auto id = add_piece(words, text, std::string(text) == "[UNK]" ? piece_kind::unknown : piece_kind::control);
    words.added_tokens->push_back({.id = id});
  }
  words.unknown = 1;
  words.bos = 2;
  words.eos = 3;
  words.add_bos = words.add_eos = true;
  words.pair = {{item_kind::token, 2, 0}, {item_kind::first_text, 0, 0}, {item_kind::token, 3, 0}, {item_kind::second_text, 0, 1},
                {item_kind::token, 3, 1}};
  for (const auto& piece : pieces) add_piece(words, piece, piece_kind::normal);
  words.scores.clear();
  return words;
}

const strings bert_pieces{"un", "##aff",  "##able", "##a", "caf", "##e", "i", "don", "'", "t", ",",
                          ".",  "\u4e2d", "do",     "not", "n't", "a",   "b", "c",   "d", "e"};

strings pieces_of(const tokenizer& words, const std::vector<uint32_t>& ids) {
  strings out;
  for (const uint32_t id : ids) out.push_back(words.piece(id));
  return out;
}

/// What the tokens of the texts are in them, as they were written.
strings sources(const encoding& found, const std::string& first, const std::string& second = {}) {
  strings out;
  for (size_t i = 0; i < found.tokens.size(); ++i) {
    if (found.parts[i] == encoding::part::special) continue;
    const auto& text = found.parts[i] == encoding::part::first ? first : second;
    out.push_back(text.substr(found.tokens[i].begin, found.tokens[i].end - found.tokens[i].begin));
  }
  return out;
}

vocabulary unigram_words() {
  auto words = sentencepiece_words();
  words.kind = tokenizer_kind::unigram;
  return words;
}

} // namespace

TEST_CASE("WordPiece takes the longest piece from the left, and unknown words as a whole") {
  const auto words = make_tokenizer(bert_words(bert_pieces));
  const auto split = [&](const std::string& text) { return pieces_of(*words, words->encode(text, special_tokens::never)); };
  CHECK(split("unaffable") == strings{"un", "##aff", "##able"});
  CHECK(split("unaffa i") == strings{"un", "##aff", "##a", "i"});
  CHECK(split("unaffx, i") == strings{"[UNK]", ",", "i"});
  CHECK(split("  Caf\u00e9\tDON'T. ") == strings{"caf", "##e", "don", "'", "t", "."});
  CHECK(split("a\u4e2di") == strings{"a", "\u4e2d", "i"});
  CHECK(split(std::string(101, 'a')) == strings{"[UNK]"});
  CHECK(split("").empty());
  CHECK(split(" \xff\u0301").empty());
  CHECK(pieces_of(*words, words->encode("a [SEP] b")) == strings{"[CLS]", "a", "[SEP]", "b", "[SEP]"});
  CHECK(words->encode("[SEP]", special_tokens::never) != std::vector<uint32_t>{3});
}

TEST_CASE("WordPiece decodes to words, with punctuation as one writes it") {
  const auto words = make_tokenizer(bert_words(bert_pieces));
  const auto decoded = [&](const std::string& text, bool special = false) { return words->decode(words->encode(text), special); };
  CHECK(decoded("unaffable i, a.") == "unaffable i, a.");
  CHECK(decoded("a b", true) == "[CLS] a b [SEP]");
  CHECK(words->decode(words->encode("unaffx")).empty());
  const std::vector<uint32_t> middle{5, 4}; // "##aff" first, as the vocabulary spells it.
  CHECK(words->decode(middle) == "##aff un");
  CHECK_THROWS_AS(words->decode(std::vector<uint32_t>{1000}), input_error);
}

TEST_CASE("places survive lower case and lost accents") {
  const auto words = make_tokenizer(bert_words(bert_pieces));
  const std::string text = " \u00dcN\u0301affable,  CAF\u00c9 \u4e2d";
  const auto found = words->encode_traced(text);
  CHECK(pieces_of(*words, found.ids) == strings{"[CLS]", "un", "##aff", "##able", ",", "caf", "##e", "\u4e2d", "[SEP]"});
  // The mark on the N is dropped and of no token.
  CHECK(sources(found, text) == strings{"\u00dcN", "aff", "able", ",", "CAF", "\u00c9", "\u4e2d"});
}

TEST_CASE("places of all kinds of tokenizers go forward, stay within the text, and cover it where nothing is dropped") {
  std::vector<std::shared_ptr<const tokenizer>> all{make_tokenizer(sentencepiece_words()), make_tokenizer(unigram_words()),
                                                    make_tokenizer(byte_pair_words()), make_tokenizer(byte_pair_words("qwen2")),
                                                    make_tokenizer(bert_words(bert_pieces))};
  auto composing = byte_pair_words();
  composing.rules = {{.kind = text_rule_kind::nfc}};
  composing.prefix = space_prefix::unless_space;
  all.push_back(make_tokenizer(composing));
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    rng random(seed);
    auto text = random_text(random, random.below(60));
    if (seed % 3 == 0) text += random_bytes(random, random.below(30)) + "e\u0301<|end|></s>[SEP]" + text;
    for (size_t i = 0; i < all.size(); ++i) {
      INFO("seed " << seed << ", tokenizer " << i);
      const auto found = all[i]->encode_traced(text);
      CHECK(found.ids == all[i]->encode(text));
      uint32_t end = 0;
      std::string covered;
      for (size_t k = 0; k < found.tokens.size(); ++k) {
        if (found.parts[k] == encoding::part::special) continue;
        const auto& one = found.tokens[k];
        CHECK(one.begin <= one.end);
        CHECK(one.end >= end);
        CHECK(one.end <= text.size());
        if (i < 4) CHECK(one.begin == end); // These have no rules that would drop or join.
        end = one.end;
      }
      if (i < 4) CHECK(end == text.size());
    }
  }
}

TEST_CASE("places are without white space where the file wants them so") {
  auto words = byte_pair_words();
  words.trims_offsets = true;
  const std::string text = "ab  hello \n";
  const auto found = make_tokenizer(words)->encode_traced(text);
  CHECK(sources(found, text) == strings{"ab", "", "hello", "", ""});
  words.prefix = space_prefix::unless_space;
  CHECK(make_tokenizer(words)->encode_traced("hello").tokens.front() == token{make_tokenizer(words)->encode("hello").front(), 0, 5});
}

TEST_CASE("two texts are put together as the file says, each with its segment") {
  const auto words = make_tokenizer(bert_words(bert_pieces));
  const auto found = words->encode_pair("a b", "C \u00c9");
  CHECK(pieces_of(*words, found.ids) == strings{"[CLS]", "a", "b", "[SEP]", "c", "e", "[SEP]"});
  CHECK(found.segments == std::vector<uint8_t>{0, 0, 0, 0, 1, 1, 1});
  using part = encoding::part;
  CHECK(found.parts == std::vector<part>{part::special, part::first, part::first, part::special, part::second, part::second,
                                         part::special});
  CHECK(sources(found, "a b", "C \u00c9") == strings{"a", "b", "C", "\u00c9"});
  CHECK(words->encode_pair("a", "b", special_tokens::never).ids.size() == 2);

  auto plain = byte_pair_words();
  plain.add_eos = true;
  const auto without = make_tokenizer(plain)->encode_pair("a", "b");
  CHECK(without.segments == std::vector<uint8_t>{0, 1, 1});
}

TEST_CASE("a template with several tokens on a side is used as it is") {
  auto words = bert_words(bert_pieces);
  words.add_bos = words.add_eos = false;
  words.single = {{item_kind::token, 2, 0}, {item_kind::token, 0, 1}, {item_kind::first_text, 0, 1}, {item_kind::token, 3, 0}};
  const auto tokens = make_tokenizer(words);
  CHECK(pieces_of(*tokens, tokens->encode("a")) == strings{"[CLS]", "[PAD]", "a", "[SEP]"});
  CHECK(tokens->encode_traced("a").segments == std::vector<uint8_t>{0, 1, 1, 0});
  words.single.front().id = 1000;
  CHECK_THROWS_WITH(make_tokenizer(words), ContainsSubstring("1000"));
}

TEST_CASE("what is too long is cut as it is wanted, and an input that cannot be is refused") {
  const auto words = make_tokenizer(bert_words(bert_pieces));
  const auto cut = [&](const std::string& first, const std::string& second, truncation::what from, size_t most) {
    std::string all;
    for (const auto& piece : pieces_of(*words, words->encode_pair(first, second, special_tokens::as_file, {from, most}).ids))
      all += piece.size() == 1 ? piece : "|";
    return all;
  };
  using what = truncation::what;
  CHECK(cut("a b c", "d e", what::longest_first, 8) == "|abc|de|");
  CHECK(cut("a b c", "d e", what::longest_first, 7) == "|ab|de|");
  CHECK(cut("a b c", "d e", what::longest_first, 6) == "|ab|d|"); // What is odd stays with the longer.
  CHECK(cut("d e", "a b c", what::longest_first, 6) == "|d|ab|");
  CHECK(cut("a", "a b c d e", what::longest_first, 7) == "|a|abc|");
  CHECK(cut("a b c", "d e", what::only_first, 6) == "|a|de|");
  CHECK(cut("a b c", "d e", what::only_second, 7) == "|abc|d|");
  CHECK_THROWS_WITH(cut("a b c", "d e", what::only_second, 6), ContainsSubstring("nothing would be left of the second text"));
  CHECK_THROWS_WITH(cut("a b c", "d e", what::longest_first, 2), ContainsSubstring("its special tokens are 3"));
  CHECK(words->encode_traced("a b c", special_tokens::as_file, {what::longest_first, 4}).ids.size() == 4);
  CHECK_THROWS_AS(words->encode_traced("a", special_tokens::as_file, {what::only_second, 4}), input_error);
}
