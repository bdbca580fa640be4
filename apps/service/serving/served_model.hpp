#pragma once
// A model that is served: its engine, and the requests that are under way with it.
#include "actors/engine.hpp"
#include "apps/service/serving/admission.hpp"
#include "model/chat/chat_template.hpp"
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::service {

/// One thread uses it: the server's.
class served_model {
public:
  using event_handler = std::function<void(generation_event&)>;
  /// Runs a function on the server's thread, called from another one.
  using poster = std::function<void(std::function<void()>)>;

  served_model(std::string name, std::unique_ptr<engine> runs, admission_limits limits, poster post);
  ~served_model();
  served_model(const served_model&) = delete;
  served_model& operator=(const served_model&) = delete;

  const std::string& name() const { return name_; }
  const engine& runs() const { return *engine_; }
  engine& runs() { return *engine_; }
  const model_file& file() const { return engine_->model(); }
  /// Throws api_error for a model without a vocabulary.
  const tokenizer& words() const;
  /// That of the model's file; throws api_error where it cannot be used, with the reason.
  const chat_template& chat() const;
  /// How many tokens a sequence may have, its prompt included.
  uint32_t context() const { return context_; }
  /// Throws api_error, without tokenising it, for a text that has too many tokens however it is cut.
  void check_length(size_t bytes) const;
  /// Throws api_error for a prompt that leaves no room for a token, and for a model that takes none.
  void check_prompt(size_t tokens) const;

  /// Throws input_error. The last event is `finished`; none comes before submit has returned.
  uint64_t submit(generate_request request, event_handler handle);
  /// Its last event still comes.
  void cancel(uint64_t request);
  size_t under_way() const { return handlers_.size(); }
  /// Generated since it was started, those of requests under way too.
  uint64_t tokens() const { return tokens_; }
  admission& load() { return load_; }

  std::shared_ptr<const v1::FaultPlan> plan; // What is injected; null: nothing.
  bool plan_in_use = false;                  // Somebody looks at it or changes it, in the background.

private:
  void take(std::vector<generation_event> events);

  std::string name_;
  std::unique_ptr<engine> engine_;
  std::shared_ptr<const tokenizer> words_;
  std::optional<chat_template> chat_;
  std::string chat_error_;
  uint32_t context_ = 0;
  size_t longest_piece_ = 1; // In bytes.
  admission load_;
  std::map<uint64_t, event_handler> handlers_;
  uint64_t tokens_ = 0;
  std::shared_ptr<served_model*> self_; // What other threads hold of this one: null behind it, once it is gone.
  std::optional<event_client> client_;
};

} // namespace troupe::service
