// Goal: a token file holds what encoding each document gives, the same bytes for any number of jobs; it is reused exactly while it
// fits; it is never half there; and damage is noticed.
#include "data_fixtures.hpp"
#include "model/error.hpp"
#include "model/content_hash.hpp"
#include "model/training/data/text_pieces.hpp"
#include "model/training/data/token_format.hpp"
#include "support/catch.hpp"
#include "support/file_limit.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

std::vector<std::string> random_documents(uint64_t seed, size_t count, size_t characters_max) {
  rng random(seed);
  std::vector<std::string> texts;
  while (texts.size() < count) {
    auto text = random_text(random, 1 + random.below(characters_max));
    if (text.find_first_not_of(" \t\r\n") != std::string::npos) texts.push_back(std::move(text));
  }
  return texts;
}

/// Letters, spaces and line feeds. No "o": the vocabulary of these tests has "o▁", a piece that ends where a cut may be.
std::string long_text(size_t bytes) {
  rng random(3);
  std::string text;
  while (text.size() < bytes) text += std::string(1 + random.below(8), "abcdefghijklmnpqrstuvwxyz"[random.below(25)]) + (random.below(9) == 0 ? "\n" : random.below(5) == 0 ? "  " : " ");
  return text + "end";
}

size_t files_in(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

} // namespace

TEST_CASE("a token file has the tokens of every document, between BOS and EOS as asked") {
  const auto texts = random_documents(1, 200, 60);
  const auto words = test_tokenizer();
  for (const bool bos : {false, true})
    for (const bool eos : {false, true}) {
      const auto prepared = prepare_tokens(temporary_path(), json_source(texts), *words, {bos, eos});
      const auto& file = *prepared.file;
      CHECK(!prepared.is_reused);
      CHECK(file.bytes_per_token() == 2);
      CHECK(file.vocabulary_size() == words->words().pieces.size());
      REQUIRE(file.documents() == texts.size());
      uint64_t tokens = 0;
      for (size_t i = 0; i < texts.size(); ++i) {
        auto wanted = words->encode(texts[i], special_tokens::never);
        if (bos) wanted.insert(wanted.begin(), *words->words().bos);
        if (eos) wanted.push_back(*words->words().eos);
        REQUIRE(document_tokens(file, i) == wanted);
        tokens += wanted.size();
      }
      CHECK(file.tokens() == tokens);
    }
}

TEST_CASE("text that is spelled like a control token does not become one") {
  const auto file = prepare_tokens(temporary_path(), json_source({"a</s>b"}), *test_tokenizer(), {false, false}).file;
  const auto tokens = document_tokens(*file, 0);
  CHECK(std::count(tokens.begin(), tokens.end(), *test_tokenizer()->words().eos) == 0);
}

TEST_CASE("ids beyond 16 bits take 32") {
  auto words = sentencepiece_words();
  while (words.pieces.size() < 70000) add_piece(words, "filler" + std::to_string(words.pieces.size()), piece_kind::normal, -1e6f);
  const auto high = add_piece(words, "▁qq", piece_kind::normal, 10);
  add_piece(words, "q", piece_kind::normal, -2e6f);
  add_piece(words, "▁q", piece_kind::normal, 9);
  const auto file = prepare_tokens(temporary_path(), json_source({"qq", "hello"}), *make_tokenizer(words), {}).file;
  CHECK(file->bytes_per_token() == 4);
  CHECK(document_tokens(*file, 0) == std::vector<uint32_t>{high, 2});
}

TEST_CASE("document i of a token file is document i of its source") {
  const auto options = source_of("one\n\n\xFF\n\ntwo\n\n\n \nthree");
  const auto file = prepare_tokens(temporary_path(), options, *test_tokenizer(), {}).file;
  const data_source source(options);
  REQUIRE(file->documents() == source.documents());
  std::string buffer;
  for (uint64_t i = 0; i < source.documents(); ++i) CHECK(test_tokenizer()->decode(document_tokens(*file, i)) == " " + std::string(source.text(i, buffer)));
  CHECK(file->figures() == source.figures());
}

TEST_CASE("the bytes of a token file do not depend on the number of jobs that run at once") {
  auto texts = random_documents(2, 3000, 400);
  texts.insert(texts.begin() + 100, long_text(2'500'000)); // Cut into pieces.
  texts.push_back(long_text(1'100'000));
  const auto source = json_source(texts);
  const auto words = test_tokenizer();
  const auto path = temporary_path();
  prepare_tokens(path, source, *words, {});
  const auto wanted = read_file(path);
  CHECK(wanted.size() > 1'000'000);
  for (const unsigned threads : {2u, 3u, 8u}) {
    const auto other = temporary_path();
    prepare_tokens(other, source, *words, {}, {.run = on_threads(threads)});
    CHECK((read_file(other) == wanted));
  }
}

TEST_CASE("a text cut at spaces gives the tokens of the whole text") {
  const auto text = long_text(300'000);
  const auto words = test_tokenizer();
  auto inner_words = words->words();
  inner_words.prefix = space_prefix::none;
  const auto inner = make_tokenizer(inner_words);
  const auto byte_pair = make_tokenizer(byte_pair_words());
  for (const size_t bytes : {64u, 100u, 5000u}) {
    std::vector<uint32_t> ids, byte_pair_ids;
    std::string together;
    for (const auto piece : cut_text(text, bytes)) {
      REQUIRE(piece.size() <= bytes);
      const auto& by = together.empty() ? *words : *inner;
      const auto some = by.encode(piece, special_tokens::never), others = byte_pair->encode(piece, special_tokens::never);
      ids.insert(ids.end(), some.begin(), some.end());
      byte_pair_ids.insert(byte_pair_ids.end(), others.begin(), others.end());
      together += piece;
    }
    CHECK((together == text));
    CHECK((ids == words->encode(text, special_tokens::never))); // Without millions of numbers when it fails.
    CHECK((byte_pair_ids == byte_pair->encode(text, special_tokens::never)));
  }
  // Without spaces it is cut between characters.
  std::string euros;
  for (int i = 0; i < 1000; ++i) euros += "€";
  for (const auto piece : cut_text(euros, 100)) CHECK(is_utf8(piece));
}

TEST_CASE("a document that is cut into pieces has one beginning and one end") {
  const auto text = long_text(3'000'000);
  const auto words = test_tokenizer();
  const auto file = prepare_tokens(temporary_path(), json_source({"before", text, "after"}), *words, {true, true}).file;
  auto wanted = words->encode(text, special_tokens::never);
  wanted.insert(wanted.begin(), 1);
  wanted.push_back(2);
  REQUIRE(file->documents() == 3);
  CHECK((document_tokens(*file, 1) == wanted));
  CHECK(document_tokens(*file, 2).front() == 1);
}

TEST_CASE("a token file is reused while it fits, and made anew when anything it depends on changes") {
  const auto folder = temporary_folder();
  const auto path = folder / "tokens";
  write_file(folder / "data" / "a.txt", "hello world\n\nhello");
  const data_source_options source{.paths = {(folder / "data").string()}};
  const auto words = sentencepiece_words();
  const auto is_reused = [&](const data_source_options& options, const vocabulary& vocabulary, token_options tokens) {
    return prepare_tokens(path, options, *make_tokenizer(vocabulary), tokens).is_reused;
  };
  CHECK(!is_reused(source, words, {}));
  CHECK(is_reused(source, words, {}));
  // Neither times nor names matter.
  std::filesystem::rename(folder / "data", folder / "moved");
  const data_source_options moved{.paths = {(folder / "moved").string()}};
  std::filesystem::last_write_time(folder / "moved" / "a.txt", {});
  CHECK(is_reused(moved, words, {}));

  write_file(folder / "moved" / "a.txt", "hello world\n\nhellO"); // The same size.
  CHECK(!is_reused(moved, words, {}));
  CHECK(is_reused(moved, words, {}));
  CHECK(!is_reused(moved, words, {.add_bos = true}));
  CHECK(!is_reused(moved, words, {.add_eos = false}));
  CHECK(!is_reused(moved, words, {}));
  auto whole = moved;
  whole.separator.reset();
  CHECK(!is_reused(whole, words, {}));
  whole.separator = "hello world";
  CHECK(!is_reused(whole, words, {}));
  auto other = words;
  other.scores[270] -= 0.5f;
  CHECK(!is_reused(whole, other, {}));
  other.prefix = space_prefix::none;
  CHECK(!is_reused(whole, other, {}));
  other.pieces[270] += "x";
  CHECK(!is_reused(whole, other, {}));
  CHECK(is_reused(whole, other, {}));
}

TEST_CASE("a damaged token file is an input_error, wherever the damage is, and is made anew") {
  const auto source = json_source(random_documents(3, 20, 30));
  const auto path = temporary_path();
  const auto words = test_tokenizer();
  prepare_tokens(path, source, *words, {});
  const auto whole = read_file(path);
  rng random(4);
  for (size_t byte = 0; byte < whole.size(); ++byte) {
    auto damaged = whole;
    damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << random.below(8)));
    write_file(path, damaged);
    INFO("byte " << byte);
    REQUIRE_THROWS_AS(token_file(path), input_error);
  }
  for (size_t size = 0; size < whole.size(); size += 1 + random.below(7)) {
    write_file(path, whole.substr(0, size));
    REQUIRE_THROWS_AS(token_file(path), input_error);
  }
  write_file(path, whole + "x");
  CHECK_THROWS_WITH(token_file(path), ContainsSubstring(path.string() + ": the token file is damaged"));
  CHECK(!prepare_tokens(path, source, *words, {}).is_reused);
  CHECK(read_file(path) == whole);
}

TEST_CASE("a token file whose checksums are right is still not believed") {
  const auto path = temporary_path();
  prepare_tokens(path, json_source({"hello", "world"}), *test_tokenizer(), {});
  const auto whole = read_file(path);
  const auto refused = [&](auto&& change, const std::string& reason) {
    auto bytes = whole;
    token_file_header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    change(header, bytes);
    content_hash content;
    content.add(std::as_bytes(std::span(bytes)).subspan(sizeof header));
    header.content = content.value();
    header.header = header_hash(header);
    std::memcpy(bytes.data(), &header, sizeof header);
    write_file(path, bytes);
    CHECK_THROWS_WITH(token_file(path), ContainsSubstring(reason));
  };
  refused([](auto&, auto& bytes) { bytes[sizeof(token_file_header)] = '\xFF', bytes[sizeof(token_file_header) + 1] = '\xFF'; }, "token 65535 is beyond the vocabulary");
  refused([](auto&, auto& bytes) { bytes[bytes.size() - 16] = 100; }, "not in order");
  refused([](auto&, auto& bytes) { bytes[bytes.size() - 8] = 3; }, "not in order");
  refused([](auto& header, auto&) { header.documents = 0; }, "contradicts itself");
  refused([](auto& header, auto&) { header.documents = uint64_t(1) << 61; }, "contradicts itself");
  refused([](auto& header, auto&) { header.tokens = ~uint64_t(0); }, "damaged");
  refused([](auto& header, auto&) { header.tokens = uint64_t(1) << 63; }, "damaged");
  refused([](auto& header, auto&) { header.bytes_per_token = 3; }, "contradicts itself");
  refused([](auto& header, auto&) { header.version = 2; }, "version 2");
  refused([](auto& header, auto&) { header.magic[0] = 'x'; }, "not a token file");
}

TEST_CASE("preparing can be stopped, and leaves nothing behind") {
  const auto source = json_source(random_documents(5, 4000, 400));
  const auto folder = temporary_folder();
  std::atomic<int> asked = 0;
  const auto prepared = prepare_tokens(folder / "tokens", source, *test_tokenizer(), {},
                                       {.run = run_in_order, .stop = [&] { return ++asked > 2; }});
  CHECK(prepared.file == nullptr);
  CHECK(asked == 3);
  CHECK(files_in(folder) == 0);
}

TEST_CASE("progress grows to 1") {
  std::vector<double> shares;
  auto texts = random_documents(6, 3000, 300);
  texts.push_back(long_text(2'000'000));
  prepare_tokens(temporary_path(), json_source(texts), *test_tokenizer(), {},
                 {.run = run_in_order, .progress = [&](double share) { shares.push_back(share); }});
  REQUIRE(shares.size() > 3);
  CHECK(std::is_sorted(shares.begin(), shares.end()));
  CHECK(shares.front() > 0);
  CHECK(shares.back() == 1);
}

TEST_CASE("a full disk while preparing is an input_error and leaves the file that was there") {
  const auto folder = temporary_folder();
  const auto words = test_tokenizer();
  prepare_tokens(folder / "tokens", json_source({"hello"}), *words, {});
  const auto old = read_file(folder / "tokens");
  const auto source = json_source(random_documents(7, 4000, 400));
  const auto fill_the_disk = [&] {
    const file_limit limit(100 << 10);
    prepare_tokens(folder / "tokens", source, *words, {});
  };
  CHECK_THROWS_WITH(fill_the_disk(), ContainsSubstring("tokens: cannot write the file"));
  CHECK(read_file(folder / "tokens") == old);
  CHECK(files_in(folder) == 1);
}

TEST_CASE("text that the vocabulary cannot represent is named with its place") {
  auto words = sentencepiece_words(false);
  words.unknown.reset();
  words.kinds[0] = piece_kind::control;
  const auto options = source_of("hello\n\nhello 5");
  CHECK_THROWS_WITH(prepare_tokens(temporary_path(), options, *make_tokenizer(words), {}), ContainsSubstring(options.paths[0] + ", line 3: "));
}

TEST_CASE("what cannot be prepared is refused before anything is written") {
  const auto folder = temporary_folder();
  auto words = sentencepiece_words();
  words.eos.reset();
  words.end_of_generation.clear();
  CHECK_THROWS_WITH(prepare_tokens(folder / "tokens", json_source({"x"}), *make_tokenizer(words), {}), ContainsSubstring("EOS"));
  CHECK_THROWS_WITH(prepare_tokens(folder / "none" / "tokens", json_source({"x"}), *test_tokenizer(), {}), ContainsSubstring("cannot create the file"));
  CHECK(files_in(folder) == 0);
  write_file(folder / "data" / "a.txt", "a");
  const data_source_options inside{.paths = {(folder / "data").string()}}, itself{.paths = {(folder / "data" / "a.txt").string()}};
  CHECK_THROWS_WITH(prepare_tokens(folder / "data" / "tokens", inside, *test_tokenizer(), {}), ContainsSubstring("would lie in"));
  CHECK_THROWS_WITH(prepare_tokens(folder / "data" / "." / "a.txt", itself, *test_tokenizer(), {}), ContainsSubstring("would lie in"));
  CHECK(prepare_tokens(folder / "data" / "tokens", itself, *test_tokenizer(), {}).file != nullptr);
  CHECK(prepare_tokens(folder / "data2", inside, *test_tokenizer(), {}).file != nullptr);
}

TEST_CASE("a content hash does not depend on how bytes come in, and on every bit of them") {
  rng random(8);
  const auto bytes = random_bytes(random, 1000);
  const auto hash = [](const std::string& text, size_t step) {
    content_hash sum;
    for (size_t i = 0; i < text.size(); i += step) sum.add(std::as_bytes(std::span(text).subspan(i, std::min(step, text.size() - i))));
    return sum.value();
  };
  const uint64_t wanted = hash(bytes, 1000);
  for (size_t step = 1; step < 100; ++step) REQUIRE(hash(bytes, step) == wanted);
  for (size_t bit = 0; bit < 8000; ++bit) {
    auto other = bytes;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    REQUIRE(hash(other, 1000) != wanted);
  }
  CHECK(hash(std::string(31, '\0'), 31) != hash(std::string(32, '\0'), 32));
  CHECK(hash("", 1) != hash(std::string(1, '\0'), 1));
  CHECK(hash("a token file of another day", 100) == 0x2a569be1261d4bd5); // Pinned: files are recognised by it.
}
