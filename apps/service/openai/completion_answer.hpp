#pragma once
// What chat completions and completions have in common: an answer that comes as one object, or as a stream of chunks.
#include "apps/service/api/usage.hpp"
#include "apps/service/serving/answer_log.hpp"
#include "apps/service/serving/context.hpp"
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::service {

struct completion_facts {
  std::string id, object, chunk_object; // "chat.completion", "chat.completion.chunk"
  std::string model;
  int64_t created = 0;
  bool streams = false, includes_usage = false;
  size_t choices_per_prompt = 1;
};

/// OpenAI's word.
json finish_reason_of(const choice& one);

class completion_answer : public generation_form {
public:
  completion_answer(call& of, const generation& running, completion_facts facts);

  void completed() override;
  void failed(const api_error& error) override;

protected:
  virtual json choice_object(size_t index) const = 0; // Whole, of an answer that is no stream.
  void send_choice(json one);                         // One chunk, with one element of `choices`.
  const generation& running() const { return running_; }
  const completion_facts& facts() const { return facts_; }
  const choice& at(size_t index) const { return running_.choices()[index]; }

private:
  json head(const std::string& object) const;
  void send_chunk(std::string_view choices, std::string_view usage);

  const generation& running_;
  completion_facts facts_;
  std::string version_;
  std::string chunk_head_; // JSON up to the choices of a chunk: the same in all.
  std::shared_ptr<answer_log> log_;
};

} // namespace troupe::service
