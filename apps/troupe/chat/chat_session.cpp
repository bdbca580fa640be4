#include "apps/troupe/chat/chat_session.hpp"
#include "apps/service/api/chat_messages.hpp"
#include "apps/service/api/json_text.hpp"
#include "apps/troupe/cli/session.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <utility>

namespace troupe {
namespace {

constexpr uint64_t messages_bytes_max = 64 << 20;

std::string_view role_of(const json_value& message) {
  for (const auto& member : std::get<json_value::object>(message.content))
    if (member.name == "role") return std::get<std::string>(member.value.content);
  return {};
}

} // namespace

chat_template open_chat_template(const model_file& model) {
  const auto name = model.path.string();
  if (model.words.kind == tokenizer_kind::none) throw input_error(name + ": has no tokenizer, so nobody can talk with it");
  try {
    return chat_template(chat_template_source(model.words));
  } catch (const input_error& error) {
    throw input_error(name + ": its chat template cannot be used: " + error.what());
  }
}

chat_session::chat_session(engine& runs, chat_template chat, generate_request each)
  : words_(runs.words()), chat_(std::move(chat)), each_(std::move(each)), client_(runs.connect()),
    context_(runs.model().spec.context_length), room_(std::min<size_t>(each_.tokens_max, context_ / 4)) {
  for (const auto& piece : words_->words().pieces) longest_piece_ = std::max(longest_piece_, piece.size());
}

json_value::array chat_session::messages() const {
  json_value::array all = system_;
  all.insert(all.end(), turns_.begin(), turns_.end());
  return all;
}

void chat_session::set_messages(json_value::array messages) {
  const auto turns = std::ranges::find_if(messages, [](const json_value& one) { return role_of(one) != "system"; });
  system_.assign(messages.begin(), turns);
  turns_.assign(turns, messages.end());
  first_seen_ = 0;
}

void chat_session::set_system(std::string text) {
  system_.clear();
  if (!text.empty()) system_.push_back(text_message("system", std::move(text)));
}

void chat_session::clear() {
  turns_.clear();
  first_seen_ = 0;
}

/// The prompt without the turns before `first`. Nothing when it leaves no room for a single token.
std::optional<std::vector<uint32_t>> chat_session::tokens_from(size_t first) const {
  conversation seen{system_, {}, {}};
  seen.messages.insert(seen.messages.end(), turns_.begin() + std::ptrdiff_t(first), turns_.end());
  const std::string text = chat_text(chat_, *words_, seen);
  if (text.size() / longest_piece_ > context_) return std::nullopt; // However it is cut.
  auto tokens = words_->encode(text, special_tokens::in_text);
  if (tokens.size() >= context_) return std::nullopt;
  return tokens;
}

bool chat_session::leaves_room(const std::optional<std::vector<uint32_t>>& tokens) const {
  return tokens && tokens->size() + room_ <= context_;
}

std::vector<uint32_t> chat_session::make_prompt(size_t& turns_left_out) {
  auto tokens = tokens_from(first_seen_);
  if (!leaves_room(tokens)) {
    std::vector<size_t> begins; // Of the turns from the second one that is seen on; the last is that of the newest message.
    for (size_t i = first_seen_ + 1; i < turns_.size(); ++i)
      if (role_of(turns_[i]) == "user") begins.push_back(i);
    // Leaving out turn after turn, each time with a rendering of all that is left, would take squared time after a long load.
    const auto enough = std::ranges::partition_point(begins, [&](size_t first) { return !leaves_room(tokens_from(first)); });
    const auto first = enough == begins.end() && !begins.empty() ? begins.end() - 1 : enough; // The newest may have all of the room.
    if (first != begins.end()) {
      tokens = tokens_from(*first);
      if (tokens) {
        turns_left_out = size_t(first - begins.begin()) + 1;
        first_seen_ = *first;
      }
    }
  }
  if (!tokens)
    throw input_error("the message is too long: with the system prompt it leaves no room in the model's context of "
                      + std::to_string(context_) + " tokens");
  if (tokens->empty()) throw input_error("the chat template makes an empty prompt of this message");
  return std::move(*tokens);
}

chat_answer chat_session::ask(std::string message, const std::function<void(std::string_view)>& show) {
  if (!is_utf8(message)) throw input_error("the message is not valid UTF-8");
  chat_answer answer;
  auto& came = answer.came;
  came.started = came.ended = std::chrono::steady_clock::now();
  turns_.push_back(text_message("user", std::move(message)));
  try {
    auto request = each_;
    request.prompt = came.prompt_ids = make_prompt(answer.turns_left_out);
    client_.submit(std::move(request));
  } catch (const input_error&) {
    turns_.pop_back();
    throw;
  }
  answer.signal = take_events(client_, [&](const generation_event& event) {
    apply(came, event);
    if (event.kind == event_kind::finished) answer.prompt_cached = event.prompt_tokens_cached;
    if (!event.text.empty()) show(event.text);
  });
  answer.is_kept = !is_failure(came.reason) && !(came.reason == finish_reason::cancelled && came.text.empty());
  if (answer.is_kept) turns_.push_back(text_message("assistant", came.text));
  else turns_.pop_back();
  return answer;
}

void save_messages(const std::string& path, const json_value::array& messages) {
  const std::string text = service::to_json({messages}).dump(2, ' ', false, service::json::error_handler_t::replace) + "\n";
  atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

json_value::array load_messages(const std::string& path) {
  const json_file file(path, messages_bytes_max);
  return service::openai_messages(file.root());
}

} // namespace troupe
