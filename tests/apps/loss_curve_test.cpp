// apps/troupe/train/loss_curve: pictures of made-up runs.
#include "apps/troupe/train/loss_curve.hpp"
#include "model/utf8.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>

using namespace troupe;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// A loss that falls as they do, with noise that is the same each time.
loss_history falling(uint64_t steps, uint64_t validations, double noise = 0.4) {
  loss_history history;
  uint64_t random = 1;
  for (uint64_t step = 1; step <= steps; ++step) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const double offset = static_cast<double>(random >> 40) / (1 << 24) - 0.5;
    history.training.push_back({step, 2 + 4 * std::exp(-12.0 * static_cast<double>(step) / static_cast<double>(steps)) + noise * offset});
  }
  for (uint64_t i = 1; i <= validations; ++i)
    history.validation.push_back({i * steps / validations, 2.2 + 3 * std::exp(-10.0 * static_cast<double>(i) / static_cast<double>(validations))});
  return history;
}

struct xml_facts {
  std::string error; // Empty: well-formed.
  std::vector<std::string> elements, texts;
  std::vector<std::pair<std::string, std::string>> attributes;
};

/// Elements with attributes, texts, and the five entities: what there may be without a prologue, comments and CDATA.
xml_facts read_xml(const std::string& xml) {
  xml_facts facts;
  std::vector<std::string> open;
  size_t at = 0;
  const auto fail = [&](const std::string& why) {
    facts.error = why + " at " + std::to_string(at);
    return facts;
  };
  const auto name = [&] {
    const size_t begin = at;
    while (at < xml.size() && (std::isalnum(static_cast<unsigned char>(xml[at])) || xml[at] == '-' || xml[at] == ':')) ++at;
    return xml.substr(begin, at - begin);
  };
  const auto blanks = [&] {
    const size_t begin = at;
    while (at < xml.size() && std::isspace(static_cast<unsigned char>(xml[at]))) ++at;
    return at > begin;
  };
  const auto is_content = [](const std::string& text) {
    for (size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c == '<' || (c < 0x20 && c != '\n' && c != '\t')) return false;
      if (c != '&') continue;
      bool known = false;
      for (const char* entity : {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"}) known = known || text.compare(i, std::strlen(entity), entity) == 0;
      if (!known) return false;
    }
    return true;
  };
  if (!is_utf8(xml)) return fail("not UTF-8");
  while (at < xml.size()) {
    if (xml[at] != '<') {
      const size_t end = std::min(xml.find('<', at), xml.size());
      const std::string text = xml.substr(at, end - at);
      if (!is_content(text)) return fail("a character that must be escaped");
      if (open.empty() && text.find_first_not_of("\n") != std::string::npos) return fail("text outside of the root");
      facts.texts.push_back(text);
      at = end;
      continue;
    }
    ++at;
    if (xml.compare(at, 1, "/") == 0) {
      ++at;
      const std::string closed = name();
      if (open.empty() || open.back() != closed) return fail("</" + closed + "> closes nothing");
      open.pop_back();
      if (xml.compare(at++, 1, ">") != 0) return fail("no >");
      continue;
    }
    if (open.empty() && !facts.elements.empty()) return fail("a second root");
    const std::string element = name();
    if (element.empty()) return fail("no name");
    facts.elements.push_back(element);
    std::vector<std::string> own;
    for (;;) {
      const bool apart = blanks();
      if (xml.compare(at, 2, "/>") == 0) {
        at += 2;
        break;
      }
      if (xml.compare(at, 1, ">") == 0) {
        ++at;
        open.push_back(element);
        break;
      }
      const std::string key = name();
      if (!apart || key.empty() || xml.compare(at, 2, "=\"") != 0) return fail("no attribute");
      if (std::find(own.begin(), own.end(), key) != own.end()) return fail("an attribute twice");
      own.push_back(key);
      at += 2;
      const size_t end = xml.find('"', at);
      if (end == std::string::npos || !is_content(xml.substr(at, end - at))) return fail("a damaged value");
      facts.attributes.emplace_back(key, xml.substr(at, end - at));
      at = end + 1;
    }
  }
  if (!open.empty()) return fail("an element is open");
  if (facts.elements.empty()) return fail("nothing");
  return facts;
}

/// The path of a kind, or nothing. The legend's come later.
std::string path_of(const std::string& svg, const std::string& kind) {
  const std::string begin = "<path class=\"" + kind + "\" d=\"";
  const size_t at = svg.find(begin);
  return at == std::string::npos ? "" : svg.substr(at + begin.size(), svg.find('"', at + begin.size()) - at - begin.size());
}

struct position {
  char command;
  double x, y;
};

/// The points of a path: of "h0" and the like only that they are there.
std::vector<position> points_of(const std::string& data) {
  std::vector<position> points;
  for (size_t at = data.find_first_of("ML"); at != std::string::npos; at = data.find_first_of("ML", at + 1)) {
    position point{data[at], 0, 0};
    std::istringstream(data.substr(at + 1)) >> point.x >> point.y;
    points.push_back(point);
  }
  return points;
}

void check_svg(const std::string& svg) {
  const xml_facts facts = read_xml(svg);
  CHECK(facts.error == "");
  CHECK(svg.size() < 60'000);
  REQUIRE(!facts.elements.empty());
  CHECK(facts.elements[0] == "svg");
  for (const auto& element : facts.elements) {
    const bool is_known = element == "svg" || element == "title" || element == "style" || element == "rect" || element == "text" || element == "path";
    CHECK(is_known);
  }
  for (const auto& [name, value] : facts.attributes) {
    if (name == "d")
      CHECK(value.find_first_not_of("MLhv 0123456789.-") == std::string::npos);
    if (name == "x" || name == "y") CHECK(value.find_first_not_of("0123456789.") == std::string::npos);
  }
  for (const char* kind : {"single", "curve", "validation", "points"})
    for (const auto& point : points_of(path_of(svg, kind))) {
      CHECK((point.x >= 72 && point.x <= 772));
      CHECK(((point.y >= 64 && point.y <= 402) || point.y == 48)); // 48: in the legend.
    }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

size_t characters_of(const std::string& text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += utf8_next(text, at).bytes) ++count;
  return count;
}

size_t count_of(const std::string& text, char c) { return static_cast<size_t>(std::count(text.begin(), text.end(), c)); }

} // namespace

TEST_CASE("the checker of XML notices what is not well-formed") {
  CHECK(read_xml("<a b=\"c\"><d/>x &amp; y</a>\n").error == "");
  for (const char* damaged : {"", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a b=c/>", "<a b=\"<\"/>", "<a b=\"1\" b=\"2\"/>", "<a>&</a>", "<a>&nbsp;</a>",
                              "<a b=\"1\"c=\"2\"/>", "x<a/>", "<a>\x01</a>", "<a>\xff</a>", "<a b=\"1/>"}) {
    INFO(damaged);
    CHECK(read_xml(damaged).error != "");
  }
}

TEST_CASE("the SVG of a run is well-formed, without anything from outside") {
  const std::string svg = loss_curve_svg(falling(3000, 10), "stories, 15 M");
  check_svg(svg);
  CHECK_THAT(svg, ContainsSubstring("stories, 15 M</title>"));
  CHECK_THAT(svg, ContainsSubstring("prefers-color-scheme: dark"));
  CHECK_THAT(svg, !ContainsSubstring("script"));
  CHECK_THAT(svg, !ContainsSubstring("href"));
  CHECK_THAT(svg, !ContainsSubstring("url("));
  for (const char* text : {">3000</text>", ">500</text>", ">3</text>", ">step</text>", ">loss</text>", ">single steps</text>",
                           ">training, mean</text>", ">validation</text>"})
    CHECK_THAT(svg, ContainsSubstring(text));
  CHECK_THAT(svg, !ContainsSubstring(">diverged</text>"));
  CHECK(points_of(path_of(svg, "points")).size() == 10);
  CHECK(svg == loss_curve_svg(falling(3000, 10), "stories, 15 M"));
}

TEST_CASE("an SVG stays small for any number of points") {
  CHECK(loss_curve_svg(falling(100'000, 100'000, 30)).size() > 20'000); // It does show them.
  check_svg(loss_curve_svg(falling(100'000, 1000)));
  check_svg(loss_curve_svg(falling(100'000, 100'000, 30)));
  auto gaps = falling(100'000, 100'000, 30);
  for (size_t i = 0; i < gaps.training.size(); i += 3) gaps.training[i].loss = not_a_number;
  check_svg(loss_curve_svg(gaps));
}

TEST_CASE("thinning keeps the lowest and the highest value of each pixel") {
  loss_history history;
  for (uint64_t step = 0; step <= 100'000; ++step) history.training.push_back({step, 3 + (step % 100 == 7 ? 1.0 : step % 100 == 8 ? -1.0 : 0.0)});
  const auto points = points_of(path_of(loss_curve_svg(history), "single"));
  const auto [low, high] = std::minmax_element(points.begin(), points.end(), [](auto a, auto b) { return a.y < b.y; });
  CHECK(high->y - low->y > 300); // They are the axis, nearly.
  const auto at_top = std::count_if(points.begin(), points.end(), [&](auto point) { return point.y == low->y; });
  const auto at_bottom = std::count_if(points.begin(), points.end(), [&](auto point) { return point.y == high->y; });
  CHECK(at_top > 690); // In each of 700 pixels.
  CHECK(at_bottom > 690);
}

TEST_CASE("no points, one point and equal points make a picture") {
  loss_history one, equal, validation;
  one.training = {{17, 2.5}};
  validation.validation = {{17, 2.5}};
  for (uint64_t step = 0; step < 10; ++step) equal.training.push_back({step, 0});
  for (const auto& history : {loss_history{}, one, equal, validation}) {
    check_svg(loss_curve_svg(history));
    for (const bool ascii : {false, true}) CHECK(lines_of(loss_curve_text(history, 60, 10, ascii)).size() == 10);
  }
  CHECK_THAT(loss_curve_svg({}), ContainsSubstring("no losses yet"));
  CHECK_THAT(loss_curve_text({}, 60, 10), ContainsSubstring("no losses yet"));
  CHECK(points_of(path_of(loss_curve_svg(one), "curve")).size() == 1);
  CHECK_THAT(path_of(loss_curve_svg(one), "curve"), ContainsSubstring("h0")); // Else nothing is to be seen of it.
  CHECK(count_of(loss_curve_text(one, 60, 10, true), '*') == 1 + 3); // And the legend's.
  CHECK(count_of(loss_curve_text(validation, 60, 10, true), 'o') == 1 + 3); // Legend: loss, validation, o.
}

TEST_CASE("the curve is a mean that neither lags nor begins or ends elsewhere") {
  loss_history history;
  for (uint64_t step = 0; step <= 1000; ++step) history.training.push_back({step, step < 500 ? 10.0 : 2.0});
  history.training[1000].loss = 9; // Noise at the end, which is in the mean of it.
  const auto curve = points_of(path_of(loss_curve_svg(history), "curve"));
  const auto single = points_of(path_of(loss_curve_svg(history), "single"));
  CHECK(curve.front().y == single.front().y);
  CHECK(curve.back().y > single.back().y + 100);
  const auto middle = std::find_if(curve.begin(), curve.end(), [&](auto point) { return point.y > (64 + 402) / 2.0; });
  CHECK(middle->x == Approx((72 + 772) / 2.0).margin(2));
}

TEST_CASE("points come in any order, and a step that was done again counts once") {
  loss_history history, mixed;
  history.training = {{1, 5}, {2, 4}, {3, 3}};
  mixed.training = {{3, 9}, {2, 4}, {1, 5}, {3, 3}};
  CHECK(loss_curve_svg(mixed) == loss_curve_svg(history));
  CHECK(loss_curve_text(mixed, 60, 12) == loss_curve_text(history, 60, 12));
}

TEST_CASE("diverged losses get a mark and a gap, and leave the axis as it is") {
  auto history = falling(50, 0, 0);
  const std::string intact = loss_curve_svg(history);
  for (const double bad : {not_a_number, infinity, -infinity, 1e300}) {
    history.training[24].loss = bad;
    const std::string svg = loss_curve_svg(history);
    check_svg(svg);
    CHECK_THAT(svg, ContainsSubstring(">diverged</text>"));
    CHECK(points_of(path_of(svg, "diverged")).size() == 1);
    CHECK(points_of(path_of(svg, "diverged"))[0].x == Approx(72 + 700 * 25 / 50.0).margin(1));
    const auto line = points_of(path_of(svg, "curve"));
    CHECK(line.size() == 49);
    CHECK(std::count_if(line.begin(), line.end(), [](auto point) { return point.command == 'M'; }) == 2);
    CHECK(points_of(path_of(intact, "curve"))[30].y == line[29].y);
    const std::string text = loss_curve_text(history, 60, 12, true);
    CHECK_THAT(lines_of(text)[0], ContainsSubstring("diverged !"));
    CHECK(count_of(text, '!') == 2);
  }
  loss_history level;
  for (uint64_t step = 0; step <= 10; ++step) level.training.push_back({step, step >= 4 && step <= 6 ? not_a_number : 2});
  const std::string picture = loss_curve_text(level, 60, 12, true);
  CHECK_THAT(picture, ContainsSubstring("*****          ")); // Nothing from the 3rd to the 7th.
  CHECK_THAT(picture, ContainsSubstring("          *****"));
  for (auto& point : history.training) point.loss = not_a_number;
  check_svg(loss_curve_svg(history));
  CHECK_THAT(loss_curve_svg(history), !ContainsSubstring("nan"));
}

TEST_CASE("a few wild values do not press the curve flat") {
  auto history = falling(1000, 5);
  history.training[500].loss = 40;
  const std::string svg = loss_curve_svg(history);
  check_svg(svg);
  CHECK_THAT(svg, ContainsSubstring(">5</text>"));
  CHECK_THAT(svg, !ContainsSubstring(">10</text>"));
  const auto single = points_of(path_of(svg, "single"));
  CHECK(std::any_of(single.begin(), single.end(), [](auto point) { return point.y == 64; })); // On the edge.
}

TEST_CASE("the high losses of the beginning leave at least half of the axis to the rest, and the picture says where it begins") {
  loss_history history;
  for (uint64_t step = 0; step < 1000; ++step)
    history.training.push_back({step, step < 40 ? 11.5 - 0.2 * static_cast<double>(step) : 3 - static_cast<double>(step) / 1000});
  const std::string svg = loss_curve_svg(history);
  check_svg(svg);
  CHECK_THAT(svg, ContainsSubstring(">from 11.50</text>"));
  const auto curve = points_of(path_of(svg, "curve"));
  CHECK(curve.front().y == 64);
  CHECK(std::find_if(curve.begin(), curve.end(), [](auto point) { return point.x > 72 + 700 * 0.05; })->y < 250);
  CHECK_THAT(lines_of(loss_curve_text(history, 60, 12))[0], ContainsSubstring("from 11.50"));

  for (size_t i = 0; i < 40; ++i) history.training[i].loss = 3.5; // There is room for these.
  CHECK_THAT(loss_curve_svg(history), !ContainsSubstring("from"));
  history.training.resize(90); // And here is no beginning to speak of.
  history.training[0].loss = 50;
  CHECK_THAT(loss_curve_svg(history), !ContainsSubstring("from"));
}

TEST_CASE("fewer than a hundred points are shown as they are") {
  const std::string few = loss_curve_svg(falling(99, 0)), many = loss_curve_svg(falling(100, 0));
  CHECK(path_of(few, "single") == "");
  CHECK_THAT(few, ContainsSubstring(">training</text>"));
  CHECK(path_of(many, "single") != path_of(many, "curve"));
  CHECK_THAT(many, ContainsSubstring(">training, mean</text>"));
}

TEST_CASE("marks of axes are round numbers in plain decimal") {
  const auto marks_of = [](double low, double high) {
    loss_history history;
    history.training = {{0, high}, {1'000'000, low}};
    std::vector<std::string> marks;
    const xml_facts facts = read_xml(loss_curve_svg(history));
    bool steps = false;
    for (const auto& text : facts.texts) {
      if (text.find_first_not_of("-0123456789.") != std::string::npos) continue;
      steps = steps || (text == "0" && marks.size() > 1); // Steps come behind losses, and begin at 0.
      if (!steps) marks.push_back(text);
    }
    return marks;
  };
  CHECK(marks_of(2.01, 3.49) == std::vector<std::string>{"2.0", "2.2", "2.4", "2.6", "2.8", "3.0", "3.2", "3.4"});
  CHECK(marks_of(0.00001, 0.00005) == std::vector<std::string>{"0.00001", "0.00002", "0.00003", "0.00004", "0.00005"});
  CHECK(marks_of(1e8, 9e8) == std::vector<std::string>{"200000000", "400000000", "600000000", "800000000"});
  CHECK_THAT(loss_curve_svg(falling(1'000, 0)), ContainsSubstring(">1000</text>"));
  loss_history far;
  far.training = {{UINT64_MAX - 1, 1}, {UINT64_MAX, 2}};
  check_svg(loss_curve_svg(far));
  far.training = {{3, 1}, {UINT64_MAX, 2}};
  check_svg(loss_curve_svg(far));
  CHECK_THAT(loss_curve_svg(far), ContainsSubstring(">10000000000000000000</text>"));
}

TEST_CASE("a title cannot damage the SVG") {
  for (const std::string title : {"a < b & \"c\" > d", "\x01\x1b[2J", "\xff\xfe", "</title><script>", "]]>", "Über 日本語"}) {
    INFO(title);
    check_svg(loss_curve_svg(falling(10, 1), title));
  }
  std::string endless;
  for (int i = 0; i < 100'000; ++i) endless += "ü";
  check_svg(loss_curve_svg(falling(10, 1), endless));
}

TEST_CASE("a text picture has exactly the size asked for") {
  auto history = falling(500, 7);
  history.training[100].loss = not_a_number;
  auto steep = history;
  steep.training[0].loss = 9e8;
  loss_history far;
  far.training = {{3, 1e9}, {UINT64_MAX, -1e9}};
  for (const auto& one : {history, steep, far, loss_history{}})
    for (const uint32_t width : {0u, 1u, 2u, 5u, 20u, 23u, 24u, 25u, 40u, 79u, 80u, 200u})
      for (const uint32_t height : {0u, 1u, 2u, 5u, 6u, 7u, 12u, 24u, 100u})
        for (const bool ascii : {false, true}) {
          INFO(width << " x " << height << (ascii ? " ASCII" : ""));
          const std::string text = loss_curve_text(one, width, height, ascii);
          const auto lines = lines_of(text);
          REQUIRE(lines.size() == height);
          CHECK((text.empty() || text.back() == '\n'));
          REQUIRE(is_utf8(text));
          for (const auto& line : lines) CHECK(characters_of(line) == width);
          if (ascii) CHECK(std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
        }
}

TEST_CASE("labels of steps that would touch are left out") {
  loss_history history;
  history.training = {{0, 4}, {8'000'000'000'000, 3}};
  std::istringstream labels(lines_of(loss_curve_text(history, 60, 12)).back());
  std::vector<std::string> all;
  for (std::string label; labels >> label;) all.push_back(label);
  CHECK(all == std::vector<std::string>{"0", "2000000000000", "6000000000000"});
}

TEST_CASE("a text picture of a few points is the one that a person would draw") {
  loss_history history;
  history.training = {{0, 4}, {10, 3}, {20, 2}, {30, 2}, {40, 1}};
  history.validation = {{20, 3}, {40, 2}};
  CHECK("\n" + loss_curve_text(history, 46, 11, true) == R"(
loss   training ***   validation o            
4 +***                                        
  |   ******                                  
3 +         ****        o                     
  |             ***                           
  |                ****                       
2 +                    ***************       o
  |                                   *****   
1 +                                        ***
  ++--------------------+--------------------+
   0                   20                   40
)");
  CHECK("\n" + loss_curve_text(history, 46, 11) == R"(
loss   training ⠒⠒⠒   validation o            
4 ┤⠒⠤⣀                                        
  │   ⠉⠒⠤⣀                                    
3 ┤       ⠉⠒⠤⣀⡀         o                     
  │           ⠈⠑⠒⠤⣀                           
  │                ⠉⠑⠢⠤⣀                      
2 ┤                     ⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠒⠤⣀      o
  │                                    ⠉⠒⠤⣀   
1 ┤                                        ⠉⠒⠤
  └┴────────────────────┴────────────────────┴
   0                   20                   40
)");
}
