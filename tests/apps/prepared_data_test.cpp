// apps/spam_filter/prepare and apps/word_translator/prepare: other people's data become lines that troupe learns from.
#include "apps/run_folder.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <cstdlib>
#include <sys/wait.h>

using namespace troupe::testing;

namespace {

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

int prepare(const std::string& name, const std::filesystem::path& from, const std::filesystem::path& to) {
  const std::string command = TROUPE_SOURCE_DIR "/apps/" + name + "/prepare " + from.string() + " " + to.string() + " 2> /dev/null";
  return std::system(command.c_str());
}

std::vector<std::string> all_lines(const std::filesystem::path& folder) {
  std::vector<std::string> all;
  for (const char* file : {"train.tsv", "validation.tsv", "held_out.tsv"}) {
    std::ifstream in(folder / file);
    for (std::string line; std::getline(in, line);) all.push_back(line);
  }
  std::sort(all.begin(), all.end());
  return all;
}

} // namespace

TEST_CASE("mails become their sender, subject and text; those that are nearly the same stay together") {
  const auto data = temporary_folder(), out = temporary_folder();
  write(data / "easy-ham-1/1.txt", "From: =?utf-8?q?J=C3=BCrgen?= <j@x.org>\nSubject: Hello\n\nSee\tyou  at\nhttp://x.org/a?b=c now\n");
  write(data / "spam-1/2.txt",
        "Subject: Win\nContent-Type: text/html\n\n"
        "<html><style>p {}</style><p>Buy <b>n</b>ow</p><a href=\"http://y.com/z\">here</a></html>");
  const std::string letter =
      "the committee will meet on the first day of every month to read what members have written about gardens and birds";
  for (int i = 0; i < 30; ++i) { // The senders are as different as the letters are alike.
    std::string sender;
    for (char c = 'a'; c <= 'z'; ++c) sender += std::string(i + 1, c) + " ";
    write(data / "hard-ham-1" / (std::to_string(i) + ".txt"),
          "From: " + sender + "<x@y.org>\nSubject: minutes\n\n" + letter + " number " + std::to_string(i) + "\n");
  }
  REQUIRE(prepare("spam_filter", data, out) == 0);
  const auto lines = all_lines(out);
  REQUIRE(lines.size() == 32);
  const auto has = [&](const std::string& line) { return std::find(lines.begin(), lines.end(), line) != lines.end(); };
  CHECK(has("Jürgen <j@x.org> | Hello | See you at http://x.org now\tham"));
  CHECK(has(" | Win | Buy now here\tspam"));
  int files_with_letters = 0;
  for (const char* file : {"train.tsv", "validation.tsv", "held_out.tsv"})
    files_with_letters += text_of(out / file).find("gardens and birds") != std::string::npos;
  CHECK(files_with_letters == 1);
  CHECK(prepare("spam_filter", temporary_folder(), out) != 0);
}

TEST_CASE("nouns of a dictionary become pairs with their first translation") {
  const auto folder = temporary_folder(), out = temporary_folder();
  const std::string entries[] = {"Haus /haʊs/ <neut, n, sg>\nhouse <n>, building\n", "gehen /x/ <v>\nto go\n",
                                 "Delphin <masc, n, sg>\n[zool.] dolphin <n>\n"};
  std::string content, index;
  for (const auto& entry : entries) {
    const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto number = [&](size_t value) { return std::string{digits[value / 64], digits[value % 64]}; };
    index += entry.substr(0, entry.find(' ')) + "\t" + number(content.size()) + "\t" + number(entry.size()) + "\n";
    content += entry;
  }
  write(folder / "x.index", index);
  write(folder / "x.dict", content);
  REQUIRE(std::system(("gzip -S .dz " + (folder / "x.dict").string()).c_str()) == 0);
  REQUIRE(prepare("word_translator", folder / "x", out) == 0);
  CHECK(all_lines(out) == std::vector<std::string>{"Delphin\tdolphin", "Haus\thouse"});
  CHECK(prepare("word_translator", folder / "none", out) != 0);
}

TEST_CASE("where the data of others are missing, training says so and is skipped") {
  for (const std::string arguments : {"spam_filter/train --no-install /nowhere", "word_translator/train --no-install /nowhere/x"}) {
    const auto said = temporary_folder() / "said";
    const int status = std::system((TROUPE_SOURCE_DIR "/apps/" + arguments + " 2> " + said.string()).c_str());
    CHECK(WEXITSTATUS(status) == 77);
    CHECK_THAT(text_of(said), ContainsSubstring("skipped: there is no /nowhere"));
  }
}
