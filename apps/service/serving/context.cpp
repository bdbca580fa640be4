#include "apps/service/serving/context.hpp"

#include <utility>

namespace troupe::service {
namespace {

api_error to_api_error(const json_error& error) {
  const std::string place = error.place.empty() ? "the body" : error.place;
  return {400, error.place.empty() ? "invalid_json" : "invalid_value", place + ": " + error.reason, error.place};
}

} // namespace

api_form form_of(std::string_view path) { return path.starts_with("/v1/messages") ? api_form::anthropic : api_form::openai; }

std::optional<api_error> api_error_of(const std::function<void()>& f) {
  try {
    f();
    return std::nullopt;
  } catch (const api_error& error) {
    return error;
  } catch (const json_error& error) {
    return to_api_error(error);
  } catch (const http::http_error& error) {
    return api_error(error.status, error.code, error.what());
  } catch (const input_error& error) {
    return api_error(400, "invalid_request", error.what());
  }
}

void guarded(const call& of, const std::function<void()>& f) {
  if (const auto error = api_error_of(f)) respond_error(*of.exchange, *error, of.form);
}

served_model& find_model(context& in, std::string_view name) {
  if (name.empty() || name == "default") return *in.models.front();
  for (const auto& one : in.models)
    if (one->name() == name) return *one;
  throw api_error(404, "model_not_found", "the model \"" + std::string(name) + "\" is not served here: see /v1/models", "model");
}

void run_in_background(call& of, std::function<std::function<void()>()> work) {
  const auto failed = [exchange = of.exchange](const std::string& reason) {
    respond_error(*exchange, api_error(500, "internal_error", reason), api_form::openai);
  };
  if (!of.in.jobs.run(std::move(work), failed)) throw api_error(503, "busy", "too many such requests are under way");
}

} // namespace troupe::service
