#pragma once
// What `troupe generate` keeps for each prompt, and how it prints it.
#include "actors/engine.hpp"
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

using time_point = std::chrono::steady_clock::time_point;

/// One prompt and what was generated for it so far.
struct generation {
  std::string prompt;
  std::vector<uint32_t> prompt_ids;
  std::string text;             // Generated so far.
  std::vector<uint32_t> tokens; // Generated so far.
  bool finished = false;
  finish_reason reason = finish_reason::error;
  std::string error;            // Why, where reason is error.
  time_point started, first_token, last_token, ended;
};

/// Takes in an event that belongs to it.
void apply(generation& one, const generation_event& event);

/// The object that `--json` prints; docs/cli.md describes its fields.
nlohmann::ordered_json to_json(const generation& one);

/// "5 prompt tokens, 64 generated (length) in 20.0 ms, 3200.0 tokens/s; the first after 2.1 ms"
std::string summary(const generation& one);

enum class generation_format { text, json };

/// Prints generations to stdout in the order of their prompts, each as soon as all before it are complete, and forgets it then. As
/// text, the first that is not complete is streamed; with several, each stands under a header line.
class generation_printer {
public:
  /// Called with each generation that was printed, and its number from 1.
  using done_callback = std::function<void(uint64_t number, const generation& one)>;

  /// `count`: how many there will be, where that is known.
  generation_printer(generation_format format, bool echo, std::optional<uint64_t> count, done_callback done);

  /// One more, the last in order. It stays where it is until it was printed.
  generation& add();
  /// How many are not completely printed.
  size_t kept() const { return kept_.size(); }
  /// Prints what can be printed now. Call after every change.
  void update();

private:
  void print_json(const generation& one);
  void print_text(const generation& one);

  generation_format format_;
  bool echo_;
  std::optional<uint64_t> count_;
  done_callback done_;
  std::deque<generation> kept_;
  uint64_t front_ = 1;      // Number of the first that is kept.
  bool front_open_ = false; // Its header is printed.
  size_t printed_ = 0;      // Bytes of its text that are printed.
};

} // namespace troupe
