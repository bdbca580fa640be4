#include "apps/process.hpp"
#include "apps/terminal_process.hpp"
#include "apps/troupe/chat/chat_session.hpp"
#include "model/error.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

// Says what it saw, and refuses a word.
constexpr const char* small_template =
  "{% for m in messages %}{% if 'refuse' in m.content %}{{ raise_exception('seen: ' ~ messages[0].content) }}{% endif %}"
  "[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]";

std::string line_of(const std::string& role, const std::string& content) { return "[" + role + "]" + content + "\n"; }

std::filesystem::path chat_model(uint32_t context = 1000, const std::string& chat = small_template) {
  tiny_model_options options;
  options.architecture = "qwen2"; // Its tokens are bytes and a few merges; a prompt gets no BOS.
  options.context = context;
  if (!chat.empty()) options.also = [chat](gguf_builder& file) { file.add_string("tokenizer.chat_template", chat); };
  return write_tiny_model(options);
}

/// Answers of five small letters, for which a conversation is easily written down.
generate_request five_letters() {
  generate_request each;
  each.tokens_max = 8;
  each.sampling.temperature = 0;
  each.constraint = text_constraint{constraint_kind::regex, "[a-z]{5}"};
  return each;
}

/// A session with a model of its own.
struct talk {
  explicit talk(uint32_t context = 1000)
    : runs(open_model(chat_model(context)), options()), session(runs, open_chat_template(runs.model()), five_letters()) {}

  static engine_options options() {
    engine_options chosen;
    chosen.threads = 2;
    return chosen;
  }
  chat_answer ask(const std::string& message) {
    return session.ask(message, [this](std::string_view text) { shown += text; });
  }
  std::vector<uint32_t> tokens_of(const std::string& prompt) const { return runs.words()->encode(prompt, special_tokens::in_text); }
  std::string text_of(const chat_answer& answer) const { return runs.words()->decode(answer.came.prompt_ids); }

  engine runs;
  chat_session session;
  std::string shown;
};

std::string content_of(const json_value& message) {
  return std::get<std::string>(std::get<json_value::object>(message.content).at(1).value.content);
}

outcome chat(std::vector<std::string> more, std::string_view input, const std::string& model = chat_model()) {
  std::vector<std::string> arguments{"chat", "-m", model, "--threads", "2", "--temperature", "0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_troupe(arguments, input);
}

} // namespace

TEST_CASE("what a pipe brings is one message, and its answer is what the model makes of the template's text") {
  const auto model = chat_model();
  const outcome piped = chat({"-n", "12", "--system", "be short"}, "two\nlines\n", model);
  INFO(piped.err);
  REQUIRE(piped.exit_code == 0);
  const std::string prompt = line_of("system", "be short") + line_of("user", "two\nlines") + "[assistant]";
  const outcome generated = run_troupe({"generate", "-m", model, "-p", prompt, "-n", "12", "--temperature", "0", "--threads", "2"});
  CHECK(piped.out == generated.out);
  CHECK(piped.out.size() > 1);
  CHECK(piped.err.find("12 generated (length)") != std::string::npos);
}

TEST_CASE("chat --json prints one object with content and finish_reason") {
  const outcome piped = chat({"--json", "--regex", "[a-z]{5}"}, "hello");
  REQUIRE(piped.exit_code == 0);
  const json object = json::parse(piped.out);
  CHECK(object.size() == 2);
  CHECK(object.at("content").get<std::string>().size() == 5);
  CHECK(object.at("finish_reason") == "stop");
  CHECK(piped.err.empty());
  const outcome refused = chat({"--json"}, "please refuse");
  CHECK(refused.exit_code == 1);
  CHECK(json::parse(refused.out).at("finish_reason") == "error");
  CHECK(json::parse(refused.out).at("error") == "seen: please refuse");
}

TEST_CASE("a piped message that cannot be answered is one clear error") {
  const outcome nothing = chat({}, "");
  CHECK(nothing.exit_code == 3);
  CHECK(nothing.err.find("stdin was empty") != std::string::npos);
  const outcome bytes = chat({}, "a\xff");
  CHECK(bytes.exit_code == 1);
  CHECK(bytes.err.find("not valid UTF-8") != std::string::npos);
  for (const size_t length : {size_t(300), size_t(1) << 20}) { // The second is not even cut into tokens.
    const outcome longer = chat({}, std::string(length, 'x'), chat_model(128));
    CHECK(longer.exit_code == 1);
    CHECK(longer.err.find("too long: ") != std::string::npos);
    CHECK(longer.err.find("128 tokens") != std::string::npos);
    CHECK(longer.out.empty());
  }
}

TEST_CASE("a model without a tokenizer, or whose template cannot be used, is refused with 3") {
  tiny_model_options options;
  options.with_tokenizer = false;
  const outcome mute = chat({}, "hello", write_tiny_model(options));
  CHECK(mute.exit_code == 3);
  CHECK(mute.err.find("has no tokenizer") != std::string::npos);
  const outcome broken = chat({}, "hello", chat_model(128, "{% for m in %}"));
  CHECK(broken.exit_code == 3);
  CHECK(broken.err.find("its chat template cannot be used: ") != std::string::npos);
}

TEST_CASE("without --model the storyteller answers, and it is said that it is no chat model") {
  const outcome told = run_troupe({"chat", "-n", "8", "--threads", "2"}, "hello");
  CHECK(told.exit_code == 0);
  CHECK(told.out.size() > 1);
  CHECK(told.err.find("no chat model") != std::string::npos);
  const outcome warned = chat({"-n", "4"}, "hello", chat_model(128, ""));
  CHECK(warned.err.find("has no chat template") != std::string::npos);
  CHECK(chat({"-n", "4"}, "hello").err.find("chat template") == std::string::npos);
}

TEST_CASE("the second message is seen with the first one and its answer, whose prefix is not computed again") {
  talk with;
  with.session.set_system("be kind");
  const auto first = with.ask("one");
  CHECK(first.came.text.size() == 5);
  CHECK(with.shown == first.came.text);
  const auto second = with.ask("two");
  const std::string prompt = line_of("system", "be kind") + line_of("user", "one") + line_of("assistant", first.came.text)
                             + line_of("user", "two") + "[assistant]";
  CHECK(second.came.prompt_ids == with.tokens_of(prompt));
  CHECK(second.prompt_cached + 8 >= first.came.prompt_ids.size());
  REQUIRE(with.session.messages().size() == 5);
  CHECK(content_of(with.session.messages()[4]) == second.came.text);
}

TEST_CASE("after clear() only the system prompt is left, and set_system() changes it from the next answer on") {
  talk with;
  with.session.set_system("first");
  with.ask("one");
  with.session.clear();
  CHECK(with.session.messages().size() == 1);
  with.session.set_system("second");
  CHECK(with.ask("two").came.prompt_ids == with.tokens_of(line_of("system", "second") + line_of("user", "two") + "[assistant]"));
  with.session.set_system("");
  CHECK(with.text_of(with.ask("three")).starts_with("[user]two\n"));
}

TEST_CASE("a conversation that was saved and loaded goes on as if it had not been") {
  talk with;
  with.session.set_system("be \"kind\"");
  with.ask("eins und \xc3\xa4");
  const std::string file = temporary_path(".json");
  save_messages(file, with.session.messages());
  const json saved = json::parse(std::ifstream(file));
  REQUIRE(saved.size() == 3);
  CHECK(saved[0] == json{{"role", "system"}, {"content", "be \"kind\""}});
  CHECK(saved[1] == json{{"role", "user"}, {"content", "eins und \xc3\xa4"}});

  talk again;
  again.ask("something else");
  again.session.set_messages(load_messages(file));
  const auto expected = with.ask("two"), found = again.ask("two");
  CHECK(found.came.prompt_ids == expected.came.prompt_ids);
  CHECK(found.came.text == expected.came.text);
}

TEST_CASE("a file that is no list of messages is refused with its name and the place") {
  const auto problem = [](const std::string& content) {
    const std::string file = write_temporary(content, ".json");
    try {
      load_messages(file);
    } catch (const input_error& error) {
      return std::string(error.what()).find(file) == std::string::npos ? "without the file's name" : std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK(problem("[{\"role\": \"king\", \"content\": \"x\"}]").find("[0].role") != std::string::npos);
  CHECK(problem("{}").find("array") != std::string::npos);
  CHECK(problem("[{\"role\":").find("accepted") == std::string::npos);
  CHECK_THROWS_AS(load_messages("/nowhere/messages.json"), input_error);
  CHECK_THROWS_AS(save_messages("/nowhere/messages.json", {}), input_error);
}

TEST_CASE("where a conversation no longer fits, as few of its oldest turns as will do are left out, and nothing else") {
  talk with(128);
  with.session.set_system("be kind");
  std::vector<std::string> turns;
  size_t left_out = 0;
  for (int i = 0; i < 12; ++i) {
    const std::string message = "message " + std::to_string(i);
    const auto answer = with.ask(message);
    left_out += answer.turns_left_out;
    std::string prompt = line_of("system", "be kind"), longer = prompt;
    for (size_t k = left_out; k < turns.size(); ++k) prompt += turns[k];
    for (size_t k = left_out > 0 ? left_out - 1 : 0; k < turns.size(); ++k) longer += turns[k];
    const std::string end = line_of("user", message) + "[assistant]";
    INFO(i);
    REQUIRE(answer.came.prompt_ids == with.tokens_of(prompt + end));
    CHECK(answer.came.prompt_ids.size() + 8 <= 128);
    if (left_out > 0) CHECK(with.tokens_of(longer + end).size() + 8 > 128);
    turns.push_back(line_of("user", message) + line_of("assistant", answer.came.text));
  }
  CHECK(left_out > 5);
  CHECK(with.session.messages().size() == 25); // All that was said is kept.
}

TEST_CASE("a long conversation that is loaded is cut at its next message") {
  talk with(128);
  json_value::array messages{text_message("system", "be kind")};
  for (int i = 0; i < 200; ++i) {
    messages.push_back(text_message("user", "question " + std::to_string(i)));
    messages.push_back(text_message("assistant", "answer"));
  }
  with.session.set_messages(messages);
  const auto answer = with.ask("and now?");
  CHECK(answer.turns_left_out > 190);
  CHECK(with.text_of(answer).starts_with("[system]be kind\n[user]question 19"));
  CHECK(answer.came.prompt_ids.size() + 8 <= 128);
}

TEST_CASE("a message that is too long, or refused, is an error and no part of the conversation, which goes on") {
  talk with(128);
  const auto first = with.ask("one");
  const auto problem = [&](const std::string& message) {
    try {
      with.ask(message);
    } catch (const input_error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK(problem(std::string(200, 'x')).find("the message is too long: ") == 0);
  CHECK(problem("refuse this") == "seen: one");
  CHECK(problem("a\xff").find("UTF-8") != std::string::npos);
  CHECK(with.session.messages().size() == 2);
  const std::string prompt = line_of("user", "one") + line_of("assistant", first.came.text) + line_of("user", "two") + "[assistant]";
  CHECK(with.ask("two").came.prompt_ids == with.tokens_of(prompt));
  // It does not fit beside the room for an answer, but it fits alone.
  const auto alone = with.ask(std::string(128 - with.tokens_of("[user]\n[assistant]").size() - 2, 'z'));
  CHECK(alone.turns_left_out == 2);
  CHECK(alone.came.tokens.size() <= 8);
  CHECK(alone.came.prompt_ids.size() + 8 > 128);
}

TEST_CASE("in a terminal answers come one after the other, and every one sees what was said before") {
  const auto model = chat_model();
  terminal_process process({"chat", "-m", model, "--threads", "2", "--temperature", "0", "--regex", "[a-z]{5}", "-n", "8"});
  process.expect("> ");
  process.type("gr\xc3\xbc\xc3\x9f dich\r");
  process.expect("(stop)");
  process.expect("> ");
  process.type("refuse\r");
  process.expect("seen: gr\xc3\xbc\xc3\x9f dich"); // The first message, which the template saw with the second one.
  process.expect("> ");
  process.type("/nonsense\r");
  process.expect("/nonsense: no such command");
  process.type("/load /nowhere/messages.json\r");
  process.expect("troupe: /nowhere/messages.json"); // What was typed is on the screen, too.
  process.type("/save\r");
  process.expect("/save: give a FILE");
  process.type("/help\r");
  for (const char* name : {"/clear", "/save FILE", "/load FILE", "/system TEXT", "/quit"}) process.expect(name);
  process.expect("> ");
  process.type("/clear\r");
  process.expect("> ");
  process.type("refuse again\r");
  process.expect("seen: refuse again");
  process.expect("> ");
  process.type("/system be kind\r");
  process.expect("> ");
  process.type("refuse once more\r");
  process.expect("seen: be kind");
  process.expect("> ");
  process.type("\x1b[A\x1b[A\x1b[A\x01 \x05 too\r"); // The third line from the end, with a space before it.
  process.expect("seen: be kind");
  process.expect("> ");
  process.type("/quit\r");
  const outcome result = process.finish();
  CHECK(result.exit_code == 0);
  CHECK(result.out.size() == 6); // One answer and a line break: all else went to stderr.
}

TEST_CASE("Ctrl-C stops an answer, which is kept as far as it came, and the conversation goes on") {
  tiny_model_options options;
  options.architecture = "qwen2";
  options.context = 100000;
  terminal_process process({"chat", "-m", write_tiny_model(options), "--threads", "2", "-n", "90000", "--logit-bias",
                            std::to_string(options.vocabulary - 1) + "=-inf"});
  process.expect("> ");
  process.type("hello\r");
  process.read_out(200);
  process.type("\x03");
  process.expect("(cancelled)");
  process.expect("> ");
  const std::string file = temporary_path(".json");
  process.type("/save " + file + "\r");
  process.expect("> ");
  process.type("half a line");
  process.expect("half a line");
  process.type("\x03"); // The line is dropped.
  process.expect("> ");
  process.type("/system x\r");
  process.expect("> ");
  process.type("\x03");
  process.expect("Ctrl-C once more");
  process.expect("> ");
  process.type("\x03");
  const outcome result = process.finish();
  CHECK(result.exit_code == 0);
  const json saved = json::parse(std::ifstream(file));
  REQUIRE(saved.size() == 2);
  const std::string answer = saved[1].at("content");
  CHECK(answer.size() >= 190);
  CHECK(result.out.substr(0, answer.size()) == answer);
  CHECK(result.out.size() <= answer.size() + 1);
}

TEST_CASE("Ctrl-D ends a conversation with 0, SIGTERM with 143, and the terminal is as it was") {
  const auto model = chat_model();
  terminal_process ended({"chat", "-m", model, "--threads", "2"});
  ended.expect("> ");
  CHECK(ended.is_raw());
  ended.type("\x04");
  CHECK(ended.finish().exit_code == 0);
  CHECK_FALSE(ended.is_raw());
  terminal_process terminated({"chat", "-m", model, "--threads", "2"});
  terminated.expect("> ");
  terminated.type("abc");
  terminated.expect("abc");
  CHECK(terminated.is_raw());
  terminated.signal(SIGTERM);
  CHECK(terminated.finish().exit_code == 143);
  CHECK_FALSE(terminated.is_raw());
}

TEST_CASE("chat --json is refused in a terminal") {
  terminal_process process({"chat", "--json"});
  process.expect("--json: is for a message that comes from a pipe");
  CHECK(process.finish().exit_code == 2);
}
