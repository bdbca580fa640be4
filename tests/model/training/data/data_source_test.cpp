// Goal: what is a document and what is not, in every form that text files have; what is wrong is named with file and line, or
// counted.
#include "data_fixtures.hpp"
#include "model/error.hpp"
#include "model/training/data/text_lines.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <fstream>
#include <sys/resource.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

using strings = std::vector<std::string>;

strings documents(const std::string& bytes) { return texts_of(data_source(source_of(bytes))); }

strings documents_between(const std::string& bytes, const std::string& separator) {
  auto options = source_of(bytes);
  options.separator = separator;
  return texts_of(data_source(options));
}

strings json_documents(const std::string& bytes) { return texts_of(data_source(source_of(bytes, source_kind::json_lines))); }

} // namespace

TEST_CASE("blank lines separate documents, however many, at whatever end") {
  CHECK(documents("a\nb\n\nc\n") == strings{"a\nb", "c"});
  CHECK(documents("\n\n a\n \t\n\n\nb") == strings{" a", "b"});
  CHECK(documents("a") == strings{"a"});
  CHECK(documents("a\n\n") == strings{"a"});
  const data_source source(source_of("\n\na\n\n\n\nb\n\n"));
  CHECK(source.figures().empty == 0); // Blank lines are no documents.
  CHECK(source.figures().documents == 2);
}

TEST_CASE("a separator line of one's own separates documents, and blank lines do not") {
  CHECK(documents_between("a\n\nb\n<end>\nc\n <end>\n<end>\n", "<end>") == strings{"a\n\nb", "c\n <end>"});
  auto options = source_of("<end>\n<end>\na\n<end>\n \n<end>\n");
  options.separator = "<end>";
  const data_source source(options);
  CHECK(texts_of(source) == strings{"a"});
  CHECK(source.figures().empty == 3);
}

TEST_CASE("without a separator a file is a document") {
  auto options = source_of("a\n\nb\n");
  options.separator.reset();
  CHECK(texts_of(data_source(options)) == strings{"a\n\nb"});
}

TEST_CASE("a byte order mark and carriage returns make no difference") {
  CHECK(documents("\xEF\xBB\xBF" "a\r\nb\r\n\r\nc\r\n") == strings{"a\nb", "c"});
  CHECK(documents("a\rb\r\n\n") == strings{"a\rb"}); // A lone one is a character.
  CHECK(documents_between("a\r\n<end>\r\nb\r\n", "<end>") == strings{"a", "b"});
  CHECK(json_documents("\xEF\xBB\xBF{\"text\": \"a\"}\r\n\r\n{\"text\": \"b\"}\r\n") == strings{"a", "b"});
  CHECK(json_documents("{\"text\": \"a\"}\n{\"text\": \"b\"}\r") == strings{"a", "b"});
  auto options = source_of("\xEF\xBB\xBFx y\tgood\r\nz\tbad\r\n", source_kind::labels);
  const data_source labels(options);
  CHECK(texts_of(labels) == strings{"x y", "z"});
  CHECK(labels.labels() == strings{"bad", "good"});
}

TEST_CASE("documents that are no UTF-8 or have no text are skipped and counted") {
  const data_source source(source_of("good\n\nb\xFF""d\n\ncut \xE2\x82\n\n\xED\xA0\x80\n\nU+0000: " + std::string(1, '\0') + "\n\nä€😀"));
  CHECK(texts_of(source) == strings{"good", "U+0000: " + std::string(1, '\0'), "ä€😀"});
  CHECK(source.figures().invalid_utf8 == 3);
  CHECK(source.figures().files == 1);
  const data_source lines(source_of("{\"text\": \"\"}\n{\"text\": \" \\n\"}\n{\"text\": \"\xFF\"}\n{\"text\": \"x\"}\n", source_kind::json_lines));
  CHECK(lines.figures() == source_figures{1, 57, 1, 1, 2});
  const data_source pairs(source_of("a\tb\n\tc\nd\t \n\n\xFF\te\n", source_kind::pairs));
  CHECK(pairs.figures() == source_figures{1, 16, 1, 1, 2});
}

TEST_CASE("the fast check for UTF-8 agrees with the slow one") {
  rng random(5);
  for (int i = 0; i < 20000; ++i) {
    std::string text = random_text(random, random.below(30));
    if (i % 2 == 0 && !text.empty()) text[random.below(text.size())] = static_cast<char>(random.below(256));
    if (i % 3 == 0) text.resize(random.below(text.size() + 1));
    REQUIRE(is_utf8_text(text) == is_utf8(text));
  }
}

TEST_CASE("each line that is not blank is a document, where lines are wanted") {
  const data_source source(source_of("\xEF\xBB\xBF" "a\tb\r\n\n \t\n{c}\n\xFF\nd", source_kind::lines));
  CHECK(texts_of(source) == strings{"a\tb", "{c}", "d"});
  CHECK(source.figures().invalid_utf8 == 1);
  CHECK(source.figures().empty == 0);
}

TEST_CASE("a document of JSON lines is the string in the field that was asked for") {
  auto options = source_of(R"({"id": 1, "inner": {"body": "not this"}, "list": ["body", {"body": 3}], "body": "a\n\u00e4\ud83d\ude00"}
{"body": "first", "body": "second", "more": null}
)", source_kind::json_lines);
  options.field = "body";
  CHECK(texts_of(data_source(options)) == strings{"a\nä😀", "second"});
}

TEST_CASE("a line that is not the JSON it should be is named") {
  const auto refused = [](const std::string& line, const std::string& reason) {
    const auto options = source_of("{\"text\": \"x\"}\n\n" + line + "\n", source_kind::json_lines);
    INFO(line);
    CHECK_THROWS_WITH(data_source(options), ContainsSubstring(options.paths[0] + ", line 3: ") && ContainsSubstring(reason));
    CHECK_THROWS_AS(data_source(options), input_error);
  };
  refused("{\"text\": \"x\"", "no JSON");
  refused("{\"text\": \"x\"} {}", "no JSON");
  refused("not JSON", "no JSON");
  refused("{\"text\": \"\\ud800\"}", "surrogate");
  refused("{\"text\": \"a" + std::string(1, '\0') + "b\"}", "no JSON");
  refused("{\"text\": " + std::string(100000, '['), "no JSON");
  refused("[\"text\", \"x\"]", "not a JSON object");
  refused("\"text\"", "not a JSON object");
  refused("{\"other\": \"x\"}", "no field \"text\"");
  refused("{\"text\": 5}", "\"text\" is not a string");
  refused("{\"text\": \"x\", \"text\": null}", "\"text\" is not a string");
  refused("{\"text\": {\"text\": \"x\"}}", "\"text\" is not a string");
}

TEST_CASE("deep nesting beside the field is passed over") {
  CHECK(json_documents("{\"deep\": " + std::string(200000, '[') + std::string(200000, ']') + ", \"text\": \"x\"}\n") == strings{"x"});
}

TEST_CASE("pairs have a source and a target") {
  const data_source source(source_of("a b\tA B\nc\tC\r\n", source_kind::pairs));
  CHECK(texts_of(source) == strings{"a b", "c"});
  std::string buffer;
  CHECK(source.target(0, buffer) == "A B");
  CHECK(source.target(1, buffer) == "C");
  const auto one = source_of("a\tb\nc\n", source_kind::pairs);
  CHECK_THROWS_WITH(data_source(one), ContainsSubstring(one.paths[0] + ", line 2: wanted source and target, with one tab between them, found 1 column"));
  CHECK_THROWS_WITH(data_source(source_of("a\tb\tc\n", source_kind::pairs)), ContainsSubstring("line 1") && ContainsSubstring("found 3 columns"));
}

TEST_CASE("labels are numbered by name, or as they are given, and others are refused") {
  auto options = source_of("x\tpos\ny\tneg\n \tof nothing\nz\tpos\n", source_kind::labels);
  const data_source collected(options);
  CHECK(collected.labels() == strings{"neg", "pos"});
  CHECK(collected.label(0) == 1);
  CHECK(collected.label(1) == 0);
  CHECK(collected.label(2) == 1);
  options.labels = {"pos", "neutral", "neg"};
  const data_source given(options);
  CHECK(given.labels() == options.labels);
  CHECK(given.label(0) == 0);
  CHECK(given.label(1) == 2);
  options.labels = {"pos", "neutral"};
  CHECK_THROWS_WITH(data_source(options), ContainsSubstring(options.paths[0] + ", line 2: the label \"neg\" is not one of the 2 that were given"));
  CHECK_THROWS_WITH(data_source(source_of("x\t\n", source_kind::labels)), ContainsSubstring("line 1: the label is empty"));
  options.labels = {"a", "b", "a"};
  CHECK_THROWS_WITH(data_source(options), ContainsSubstring("\"a\" is given twice"));
}

TEST_CASE("files come from paths, folders and patterns, sorted, each once") {
  const auto folder = temporary_folder();
  write_file(folder / "b.txt", "b");
  write_file(folder / "a.txt", "a");
  write_file(folder / "inner" / "c.txt", "c");
  write_file(folder / ".hidden", "no");
  write_file(folder / ".git" / "d.txt", "no");
  write_file(folder / "e[1].log", "e");
  const auto texts = [&](const strings& names) {
    data_source_options options;
    for (const auto& name : names) options.paths.push_back((folder / name).string());
    return texts_of(data_source(options));
  };
  CHECK(texts({""}) == strings{"a", "b", "e", "c"});
  CHECK(texts({"*.txt"}) == strings{"a", "b"});
  CHECK(texts({"b.txt", "*.txt", "./b.txt", "inner"}) == strings{"a", "b", "c"});
  CHECK(texts({"e[1].log"}) == strings{"e"}); // There is a file of this name.
  CHECK(texts({"[b].txt"}) == strings{"b"});
  CHECK_THROWS_WITH(texts({"*.md"}), ContainsSubstring("*.md") && ContainsSubstring("no file matches"));
  CHECK_THROWS_WITH(texts({"none"}), ContainsSubstring("none: cannot open the file"));
  std::filesystem::create_directories(folder / "nothing");
  CHECK_THROWS_WITH(texts({"nothing"}), ContainsSubstring("nothing: there are no files in this folder"));
  CHECK_THROWS_WITH(data_source(data_source_options{}), ContainsSubstring("no files are named"));
  std::filesystem::create_symlink(folder, folder / "inner" / "circle");
  CHECK(texts({""}) == strings{"a", "b", "e", "c"});
}

TEST_CASE("an empty file, or files without a usable document, are refused") {
  const auto empty = source_of("");
  CHECK_THROWS_WITH(data_source(empty), empty.paths[0] + ": the file is empty");
  CHECK_THROWS_WITH(data_source(source_of("\xFF\xFE\n\n\xFF\n")), ContainsSubstring("there is no usable document: 0 are empty and 2 are not UTF-8"));
  CHECK_THROWS_WITH(data_source(source_of("\n \n")), ContainsSubstring("no usable document"));
  CHECK_THROWS_WITH(data_source(source_of("\xEF\xBB\xBF")), ContainsSubstring("no usable document"));
}

TEST_CASE("the place of a document is its file and line") {
  const auto options = source_of("a\n\n\nb\nc\n\nd");
  const data_source source(options);
  CHECK(source.place(1) == options.paths[0] + ", line 4");
  CHECK(source.place(2) == options.paths[0] + ", line 7");
}

TEST_CASE("of plain text some hundred KiB are in memory, however long a line is") {
  std::string bytes(100'000'000, 'x');
  bytes += "\n\nshort";
  const auto options = source_of(bytes);
  const allocation_count count;
  const data_source source(options);
  CHECK(source.documents() == 2);
  std::string buffer;
  CHECK(source.file_bytes(0) == 100'000'000);
  CHECK(source.raw_text(0, 99'999'000, 1000, buffer) == std::string(1000, 'x'));
  CHECK(source.text(1, buffer) == "short");
  CHECK(source.place(1) == options.paths[0] + ", line 3");
  uint64_t length = 0;
  for (auto lines = source.lines(0); const auto line = lines.next();) length += line->text.size();
  CHECK(length == 100'000'000);
  CHECK(count.peak_bytes() < 5'000'000);
}

TEST_CASE("any bytes are documents or an input_error") {
  rng random(77);
  const strings parts{"\n", "\r\n", "\t", "{\"text\":", "\"a\"", "}", "[", "\\u12", "\xEF\xBB\xBF", "\xC3", "\xE2\x82\xAC", " ", "<end>\n", std::string(1, '\0')};
  int refused = 0, read = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes;
    for (uint64_t n = random.below(30); n > 0; --n)
      bytes += random.below(4) == 0 ? random_bytes(random, random.below(5)) : parts[random.below(parts.size())];
    auto options = source_of(bytes, static_cast<source_kind>(i % 4));
    if (i % 8 == 0) options.separator = "<end>";
    try {
      const data_source source(options);
      std::string buffer;
      for (uint64_t d = 0; d < source.documents(); ++d) REQUIRE(is_utf8(source.text(d, buffer)));
      ++read;
    } catch (const input_error&) {
      ++refused;
    }
    std::filesystem::remove(options.paths[0]);
  }
  CHECK(refused > 100);
  CHECK(read > 100);
}

TEST_CASE("lines are read in windows, wherever those end") {
  using long_lines = line_reader::long_lines;
  const auto lines_of = [](const std::string& text, uint64_t first, long_lines longer = long_lines::whole) {
    const input_file file(write_temporary(text));
    strings lines;
    line_reader reader(file, first, text.size(), longer);
    uint64_t next = first;
    bool is_start = true;
    while (const auto line = reader.next()) {
      REQUIRE(line->begin == next);
      REQUIRE(line->text == std::string_view(text).substr(line->begin, line->text.size()));
      REQUIRE(is_utf8(line->text) == is_utf8(text));
      REQUIRE(line->is_start == is_start);
      if (line->is_start) lines.emplace_back();
      lines.back() += line->text;
      next = line->end;
      is_start = line->is_end;
      REQUIRE(reader.number() == lines.size());
    }
    REQUIRE(next == text.size());
    return lines;
  };
  CHECK(lines_of("x", 1).empty());
  CHECK(lines_of("a\r\n\nb\rc\n\r\n", 0) == strings{"a", "", "b\rc", ""});
  CHECK(lines_of("\xEF\xBB\xBF" "a\nb\r", 3) == strings{"a", "b\r"});
  constexpr size_t window = line_reader::window_bytes;
  for (const auto longer : {long_lines::whole, long_lines::in_pieces})
    for (const size_t length : {window - 2, window - 1, window, window + 1, window + 2, 3 * window + 5})
      for (const std::string ending : {"", "\n", "\r\n"}) {
        const std::string longest(length, 'x');
        CHECK(lines_of(longest + "\r\n" + longest + "\ny" + ending, 0, longer) == strings{longest, longest, "y"});
        std::string wide = std::string(length % 3, ' ');
        while (wide.size() < length) wide += "\xE2\x82\xAC";
        CHECK(lines_of(wide + ending, 0, longer) == strings{wide});
      }
}

TEST_CASE("a line of any length is text, or separates") {
  constexpr size_t length = line_reader::window_bytes;
  const std::string blank(3 * length, ' '), text(3 * length, 'x');
  CHECK(documents("a\n" + blank + "\nb") == strings{"a", "b"});
  CHECK(documents("a\n" + blank + "x\nb") == strings{"a\n" + blank + "x\nb"});
  CHECK(documents(text + "\r\n" + text + "\r\n\r\nb") == strings{text + "\n" + text, "b"});
  const data_source wrong(source_of(text + "\xC3\n\nb"));
  CHECK(texts_of(wrong) == strings{"b"});
  CHECK(wrong.figures().invalid_utf8 == 1);
}

TEST_CASE("a file that is shortened while its documents are read is an error that names it") {
  auto options = source_of(std::string(5000, 'a') + "\n\n" + std::string(5000, 'b') + "\n", source_kind::text);
  const data_source source(options);
  std::string buffer;
  CHECK(source.text(1, buffer) == std::string(5000, 'b'));
  std::filesystem::resize_file(options.paths[0], 6000);
  CHECK(source.text(0, buffer) == std::string(5000, 'a'));
  CHECK_THROWS_AS(source.text(1, buffer), input_error);
  CHECK_THROWS_WITH(source.text(1, buffer), ContainsSubstring(options.paths[0] + ": the file was shortened: it has 6000 bytes now"));
  CHECK_THROWS_WITH(source.require_unchanged(), ContainsSubstring(options.paths[0] + ": the file was changed"));
}

TEST_CASE("more files than may be open at once are read") {
  const auto folder = temporary_folder();
  for (int i = 0; i < 300; ++i) std::ofstream(folder / std::to_string(i)) << "text " << i << "\n";
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{100, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &few);
  const auto restore = std::shared_ptr<void>(nullptr, [&](void*) { setrlimit(RLIMIT_NOFILE, &before); });
  const data_source source({.paths = {folder.string()}});
  CHECK(source.documents() == 300);
  std::string buffer;
  CHECK(source.text(0, buffer) == "text 0");
  CHECK_NOTHROW(source.require_unchanged());
  CHECK(fingerprint_of(open_source_files({folder.string()})) != 0);
}
