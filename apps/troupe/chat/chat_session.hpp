#pragma once
// A conversation with a model: what was said, and how the next answer comes.
#include "actors/engine.hpp"
#include "apps/troupe/generate/generate.hpp"
#include "model/chat/chat_template.hpp"
#include "model/chat/conversation.hpp"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// The template of the model's conversations. Throws input_error when the model has no tokenizer, or a template that cannot be used.
chat_template open_chat_template(const model_file& model);

/// What came of one message.
struct chat_answer {
  generation came;           // Its text is the answer.
  uint32_t prompt_cached = 0; // Tokens of the prompt that were not computed again.
  size_t turns_left_out = 0; // Turns that the model saw the last time and did not see any more.
  bool is_kept = false;      // The message and its answer are part of the conversation.
  int signal = 0;            // That stopped it; or 0.
};

/// The engine is the caller's and outlives the session. One thread uses it.
///
/// All that was said is kept; what the model sees of it fits its context, beside room for an answer: tokens_max of `each`, but at most a
/// fourth of the context. Where it does not fit, the oldest turns (a message of the user and what follows it) are left out, as few as
/// will do; never a system prompt or the newest message. What the model saw already costs nothing again while its caches are there, since
/// the engine reuses the prefix of a prompt.
class chat_session {
public:
  /// each: what is asked for with every prompt.
  chat_session(engine& runs, chat_template chat, generate_request each);

  /// Says `message` and calls `show` with each piece of the answer as it comes. The first Ctrl-C or SIGTERM stops the answer. Throws
  /// input_error, and the message is not part of the conversation, when it is not UTF-8, is too long for the model's context, or is
  /// refused by the template. Nor is a message part of it whose answer failed, or was stopped before its first character.
  chat_answer ask(std::string message, const std::function<void(std::string_view)>& show);

  /// Of all that was said: the system prompt, then the turns.
  json_value::array messages() const;
  /// In place of all that was said. Those of the role "system" at the beginning are the system prompt.
  void set_messages(json_value::array messages);
  /// Empty: no system prompt.
  void set_system(std::string text);
  /// Forgets all but the system prompt.
  void clear();

private:
  std::optional<std::vector<uint32_t>> tokens_from(size_t first) const;
  bool leaves_room(const std::optional<std::vector<uint32_t>>& tokens) const;
  std::vector<uint32_t> make_prompt(size_t& turns_left_out);

  std::shared_ptr<const tokenizer> words_;
  chat_template chat_;
  generate_request each_;
  client client_;
  size_t context_, room_;   // Tokens: of the model's context, to be left for an answer.
  size_t longest_piece_ = 1; // In bytes.
  json_value::array system_, turns_;
  size_t first_seen_ = 0; // Of turns_: the first that the model still sees.
};

/// A file of messages: a JSON array, as `messages` of OpenAI's chat completions. Both throw input_error, naming the file and the place.
void save_messages(const std::string& path, const json_value::array& messages);
json_value::array load_messages(const std::string& path);

} // namespace troupe
