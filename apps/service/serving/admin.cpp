#include "apps/service/serving/admin.hpp"

#include "apps/service/api/json_text.hpp"
#include "apps/service/serving/start.hpp"

#include <utility>

namespace troupe::service {
void admin_actors(call& of) {
  std::vector<std::pair<std::string, engine*>> engines;
  for (const auto& one : of.in.models) engines.emplace_back(one->name(), &one->runs());
  run_in_background(of, [engines, exchange = of.exchange]() -> std::function<void()> {
    json list = json::array();
    for (const auto& [model, one] : engines)
      for (const auto& actor : one->actors())
        list.push_back({{"model", model}, {"path", actor.path}, {"kind", actor.role}, {"state", "running"},
                        {"restarts", actor.restarts}});
    return [exchange, text = to_text({{"actors", std::move(list)}})] { respond_json(*exchange, text); };
  });
}

void admin_kill(call& of, const json_node& body) {
  const std::string path = body.get("path").text();
  auto& model = find_model(of, body);
  run_in_background(of, [&one = model.runs(), path, exchange = of.exchange]() -> std::function<void()> {
    const bool is_killed = one.kill(path);
    return [exchange, path, is_killed] {
      if (is_killed) respond_json(*exchange, to_text({{"path", path}, {"killed", true}}), 202);
      else respond_error(*exchange, api_error(404, "actor_not_found", "there is no actor \"" + path + "\" that can be killed", "path"), api_form::openai);
    };
  });
}

void admin_drain(call& of) {
  of.in.is_draining = true;
  respond_json(*of.exchange, to_text({{"draining", true}}), 202);
}

} // namespace troupe::service
