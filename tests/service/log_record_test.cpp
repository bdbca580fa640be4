// Goal: a line of the log can be read again, whatever a client has sent.
#include "apps/service/api/log_record.hpp"
#include "support/catch.hpp"

#include <nlohmann/json.hpp>

namespace troupe::service {

TEST_CASE("a record is a line of names and values", "[log]") {
  const auto record = log_record{"request"}.add("path", "/v1/models").add("status", int64_t(200)).add("ms", 1.5).add("complete", true);
  CHECK(to_line(record) == "level=info event=request path=/v1/models status=200 ms=1.5 complete=true");
  CHECK(to_json_line(record, 1'764'515'232'045) ==
        R"({"time":"2025-11-30T15:07:12.045Z","level":"info","event":"request","path":"/v1/models","status":200,"ms":1.5,"complete":true})");
}

TEST_CASE("what a client has sent stays inside of its value", "[log]") {
  for (const std::string hostile : {"", "a b", "a=b", "a\nlevel=info event=forged", "\"", "\\", "\xff\xfe", "caf\xc3\xa9", "\x1b[2J"}) {
    const auto record = log_record{"request", log_level::warning}.add("path", hostile).add("status", int64_t(1));
    const auto text = to_line(record);
    CHECK(text.find_first_of("\n\x1b") == std::string::npos);
    CHECK(text.starts_with("level=warning event=request path=\""));
    CHECK(text.ends_with("\" status=1"));
    const auto line = to_json_line(record, 0);
    CHECK(line.find('\n') == std::string::npos);
    const auto read = nlohmann::json::parse(line);
    CHECK(read.at("time") == "1970-01-01T00:00:00.000Z");
    if (hostile.find('\xff') == std::string::npos) CHECK(read.at("path") == hostile);
  }
}

} // namespace troupe::service
