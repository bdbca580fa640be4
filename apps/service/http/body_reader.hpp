#pragma once
// Takes the body of a request from a stream of bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::http {

/// The body of one message: of a known length, or in chunks (RFC 9112, 7.1). Extensions of chunks and trailers are read and dropped.
class body_reader {
public:
  /// No body.
  body_reader() = default;
  static body_reader of_length(uint64_t bytes);
  /// body_bytes_max: of the body; overhead_bytes_max: of all that is not body but belongs to one chunk, and of the trailers.
  static body_reader chunked(uint64_t body_bytes_max, size_t overhead_bytes_max);

  /// Appends to `body` what of `input` belongs to it. Returns how much of `input` is used up: all of it, unless the body ends before.
  /// Throws http_error: 400 for bad framing, 413, 431.
  size_t take(std::string_view input, std::string& body);
  bool complete() const { return state_ == state::end; }

private:
  // In chunks: size, extension, line feed, data, carriage return and line feed; after the chunk of size 0 trailers, line by line.
  enum class state { end, plain, size, extension, size_lf, data, data_cr, data_lf, line_start, trailer, trailer_lf, last_lf };
  size_t take_data(std::string_view input, std::string& body, state next);
  void take_framing(char c, uint64_t body_bytes);
  void overhead();

  state state_ = state::end;
  uint64_t left_ = 0; // Of the body, or of this chunk.
  uint64_t body_bytes_max_ = 0;
  size_t overhead_ = 0, overhead_max_ = 0;
  bool has_digit_ = false;
};

} // namespace troupe::http
