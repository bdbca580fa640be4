// Goal: forms with files are read as RFC 7578 has them; whatever else a body holds is one error with status 400 or 415.
#include "apps/service/api/api_error.hpp"
#include "apps/service/api/multipart.hpp"
#include "support/catch.hpp"

#include <random>
#include <string>

namespace troupe::service {
namespace {

constexpr const char* form_type = "multipart/form-data; boundary=\"a b\"";

int status_of(const std::string& type, const std::string& body) {
  try {
    read_form(type, body);
    return 200;
  } catch (const api_error& error) {
    return error.status;
  }
}

} // namespace

TEST_CASE("a form has its parts in order, with names, names of files, and any bytes as their content") {
  const std::string body = "ignored\r\n--a b \r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--a b\r\nX-Other: 1\r\n"
                           "Content-Disposition: form-data; NAME=file; filename=\"a \\\"b\\\".wav\"\r\nContent-Type: audio/wav\r\n\r\n" +
                           std::string("\r\n--a\0b\r\n", 9) + "\r\n--a b\r\ncontent-disposition: form-data; name=model\r\n\r\n\r\n--a b--";
  const auto form = read_form("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", body);
  REQUIRE(form.parts.size() == 3);
  CHECK(form.parts[0].name == "model");
  CHECK(form.parts[0].content == "whisper");
  CHECK(form.parts[1].name == "file");
  CHECK(form.parts[1].file_name == "a \"b\".wav");
  CHECK(form.parts[1].content == std::string_view("\r\n--a\0b\r\n", 9));
  CHECK(form.find("model")->content == ""); // The last one.
  CHECK(form.all("model").size() == 2);
  CHECK(form.find("nothing") == nullptr);
  CHECK(read_form(form_type, "--a b--").parts.empty());
}

TEST_CASE("another type, no boundary, a form that ends early or is too large is refused") {
  CHECK(status_of("application/json", "{}") == 415);
  CHECK(status_of("", "") == 415);
  CHECK(status_of("multipart/form-data", "--x--") == 400);
  CHECK(status_of("multipart/form-data; boundary=", "----") == 400);
  CHECK(status_of("multipart/form-data; boundary=\"x", "--x--") == 400);
  CHECK(status_of("multipart/form-data; boundary=" + std::string(71, 'x'), "--" + std::string(71, 'x') + "--") == 400);
  for (const char* body : {"", "x", "--a b", "--a b\r\n", "--a b\r\na: b", "--a b\r\n\r\nx\r\n--a b--",
                           "--a b\r\nno colon\r\n\r\n\r\n--a b--",
                           "--a b\r\ncontent-disposition: form-data; name=x\r\n\r\nx"}) {
    INFO(body);
    CHECK(status_of(form_type, body) == 400);
  }
  const std::string part = "--a b\r\ncontent-disposition: form-data; name=x\r\n\r\nx\r\n";
  std::string many;
  for (int i = 0; i < 64; ++i) many += part;
  CHECK(status_of(form_type, many + "--a b--") == 200);
  CHECK(status_of(form_type, many + part + "--a b--") == 400);
  CHECK(status_of(form_type, "--a b\r\nx: " + std::string(5000, 'x') + "\r\n\r\n\r\n--a b--") == 400);
}

TEST_CASE("random bodies are forms or errors, and contents lie within the body") {
  std::mt19937 bits(1);
  const std::string pieces[] = {"--a b", "\r\n", "--", "content-disposition: form-data; name=x", "\r\n\r\n", "a: \"", ";", "=", "x", "\""};
  for (int round = 0; round < 20'000; ++round) {
    std::string body = round % 2 == 0 ? "--a b\r\n" : "";
    for (uint32_t i = bits() % 20; i > 0; --i) body += pieces[bits() % std::size(pieces)];
    try {
      for (const auto& part : read_form(form_type, body).parts) {
        REQUIRE(part.content.data() >= body.data());
        REQUIRE(part.content.data() + part.content.size() <= body.data() + body.size());
      }
    } catch (const api_error& error) {
      REQUIRE(error.status == 400);
    }
  }
}

} // namespace troupe::service
