#include "apps/service/http/body_reader.hpp"
#include "apps/service/http/request.hpp"
#include <algorithm>

namespace troupe::http {
namespace {

[[noreturn]] void bad_chunk() { throw http_error(400, "bad_chunk", "the body is not in chunks as Transfer-Encoding: chunked has them"); }

bool is_text(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); }

/// -1: not a digit.
int chunk_size_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

} // namespace

body_reader body_reader::of_length(uint64_t bytes) {
  body_reader body;
  body.left_ = bytes;
  body.state_ = bytes > 0 ? state::plain : state::end;
  return body;
}

body_reader body_reader::chunked(uint64_t body_bytes_max, size_t overhead_bytes_max) {
  body_reader body;
  body.body_bytes_max_ = body_bytes_max;
  body.overhead_max_ = overhead_bytes_max;
  body.state_ = state::size;
  return body;
}

size_t body_reader::take(std::string_view input, std::string& body) {
  size_t used = 0;
  while (used < input.size() && state_ != state::end) {
    if (state_ == state::plain) {
      used += take_data(input.substr(used), body, state::end);
    } else if (state_ == state::data) {
      used += take_data(input.substr(used), body, state::data_cr);
    } else {
      take_framing(input[used++], body.size());
    }
  }
  return used;
}

size_t body_reader::take_data(std::string_view input, std::string& body, state next) {
  const size_t bytes = static_cast<size_t>(std::min<uint64_t>(left_, input.size()));
  body.append(input.substr(0, bytes));
  left_ -= bytes;
  if (left_ == 0) state_ = next;
  return bytes;
}

void body_reader::overhead() {
  if (++overhead_ > overhead_max_) throw http_error(431, "chunk_overhead_too_large", "a chunk's extensions or the trailers are too large");
}

void body_reader::take_framing(char c, uint64_t body_bytes) {
  const auto expect = [c](char expected) {
    if (c != expected) bad_chunk();
  };
  switch (state_) {
  case state::size: {
    overhead();
    const int digit = chunk_size_digit(c);
    if (digit >= 0) {
      has_digit_ = true;
      left_ = left_ * 16 + static_cast<uint64_t>(digit);
      // Checked for each digit, so it cannot overflow.
      if (left_ > body_bytes_max_ - body_bytes) {
        throw http_error(413, "body_too_large", "the body is larger than " + std::to_string(body_bytes_max_) + " bytes");
      }
      return;
    }
    if (!has_digit_) bad_chunk();
    if (c == '\r') {
      state_ = state::size_lf;
    } else if (c == ';' || c == ' ' || c == '\t') {
      state_ = state::extension;
    } else {
      bad_chunk();
    }
    return;
  }
  case state::extension:
    overhead();
    if (c == '\r') {
      state_ = state::size_lf;
    } else if (!is_text(c)) {
      bad_chunk();
    }
    return;
  case state::size_lf:
    expect('\n');
    overhead_ = 0;
    has_digit_ = false;
    state_ = left_ > 0 ? state::data : state::line_start;
    return;
  case state::data_cr: expect('\r'); state_ = state::data_lf; return;
  case state::data_lf: expect('\n'); state_ = state::size; return;
  case state::line_start:
    overhead();
    if (!is_text(c) && c != '\r') bad_chunk();
    state_ = c == '\r' ? state::last_lf : state::trailer;
    return;
  case state::trailer:
    overhead();
    if (c == '\r') {
      state_ = state::trailer_lf;
    } else if (!is_text(c)) {
      bad_chunk();
    }
    return;
  case state::trailer_lf: expect('\n'); state_ = state::line_start; return;
  case state::last_lf: expect('\n'); state_ = state::end; return;
  case state::end:
  case state::plain:
  case state::data: TROUPE_ASSERT(false);
  }
}

} // namespace troupe::http
