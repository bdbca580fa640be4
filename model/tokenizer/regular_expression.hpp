#pragma once
// Regular expressions as tokenizers use them.
#include <memory>
#include <string>
#include <string_view>

namespace troupe {

/// Immutable and thread-safe.
class regular_expression {
public:
  /// syntax::ours: PCRE2's, with "~" for the inside of a class of Unicode's White_Space. syntax::oniguruma: as a tokenizer.json writes
  /// it. Throws input_error for what is no regular expression, or means something else to Oniguruma than to PCRE2.
  enum class syntax : uint8_t { ours, oniguruma };
  regular_expression(const std::string& source, syntax written_as);
  ~regular_expression();

  /// What the library writes into while it searches texts of together at most `bytes` bytes; for one thread.
  class workspace {
  public:
    explicit workspace(size_t bytes);
    ~workspace();

  private:
    friend class regular_expression;
    struct library_state;
    std::unique_ptr<library_state> state_;
  };
  /// The first match that begins at `from` or behind it and is not empty; empty: none. The text is UTF-8. Throws input_error where the
  /// library gives up, as it does after a number of steps in proportion to the text.
  std::string_view next(std::string_view text, size_t from, workspace& work) const;

private:
  struct compiled;
  std::unique_ptr<const compiled> code_;
};

} // namespace troupe
