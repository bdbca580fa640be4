#include "apps/service/http/body_reader.hpp"
#include "apps/service/http/request.hpp"
#include "support/catch.hpp"
#include <random>

using namespace troupe;
using namespace troupe::http;

TEST_CASE("query parameters are decoded, the last of one name counts") {
  request asked;
  asked.query = "a=1&b=x%20y+z&c&=e&&a=2&d=%e2%82%ac=";
  const auto found = asked.query_parameters();
  CHECK(found == std::map<std::string, std::string>{{"", "e"}, {"a", "2"}, {"b", "x y z"}, {"c", ""}, {"d", "\xE2\x82\xAC="}});
  for (const char* bad : {"a=%", "%4", "a=%gg", "a=%ff"}) {
    asked.query = bad;
    CHECK_THROWS_AS(asked.query_parameters(), http_error);
  }
}

TEST_CASE("headers are found in any case, the first of a name counts") {
  request asked;
  asked.headers = {{"x-a", "1"}, {"x-a", "2"}, {"content-type", "text/plain"}};
  CHECK(asked.header("X-A") == "1");
  CHECK(asked.header("Content-Type") == "text/plain");
  CHECK(asked.header("x") == "");
}

TEST_CASE("a body in chunks is the same, however it is cut, and what is behind it is left") {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    std::mt19937 draw(seed);
    std::string expected, wire;
    for (size_t chunks = draw() % 5; chunks > 0; --chunks) {
      const std::string piece(1 + draw() % 300, static_cast<char>('a' + draw() % 26));
      char size[20];
      std::snprintf(size, sizeof size, draw() % 2 == 0 ? "%zx" : "%04zX", piece.size());
      wire += std::string(size) + (draw() % 2 == 0 ? ";ext=1" : "") + "\r\n" + piece + "\r\n";
      expected += piece;
    }
    wire += std::string("0\r\n") + (draw() % 2 == 0 ? "T: v\r\nU: w\r\n" : "") + "\r\n";
    const size_t wire_bytes = wire.size();
    wire += "GET";
    auto reader = body_reader::chunked(10'000, 100);
    std::string body;
    size_t used = 0;
    while (!reader.complete()) {
      REQUIRE(used < wire_bytes);
      const size_t bytes = 1 + draw() % 50;
      const size_t took = reader.take(std::string_view(wire).substr(used, bytes), body);
      REQUIRE((took == std::min(bytes, wire.size() - used) || reader.complete()));
      used += took;
    }
    CHECK(used == wire_bytes);
    CHECK(body == expected);
  }
}

TEST_CASE("a body of known length takes so many bytes") {
  std::string body;
  CHECK(body_reader().complete());
  CHECK(body_reader::of_length(0).complete());
  auto reader = body_reader::of_length(5);
  CHECK(reader.take("abc", body) == 3);
  CHECK_FALSE(reader.complete());
  CHECK(reader.take("defgh", body) == 2);
  CHECK(reader.complete());
  CHECK(body == "abcde");
}
