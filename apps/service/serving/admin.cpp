#include "apps/service/serving/admin.hpp"

#include "actors/faults/plan.hpp"
#include "apps/service/api/json_text.hpp"
#include "apps/service/serving/start.hpp"

#include <optional>
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

namespace {

json as_json(const worker_facts& worker) {
  return {{"name", worker.name}, {"state", worker.state}, {"reason", worker.reason}, {"layers", worker.layers},
          {"spare", worker.is_spare}, {"threads", worker.threads}, {"process", worker.process}, {"times_lost", worker.times_lost},
          {"round_trip_us", double(worker.round_trip.count()) / 1000}};
}

} // namespace

void admin_cluster(call& of) {
  std::vector<std::pair<std::string, engine*>> engines;
  for (const auto& one : of.in.models) engines.emplace_back(one->name(), &one->runs());
  run_in_background(of, [engines, exchange = of.exchange]() -> std::function<void()> {
    json models = json::array();
    for (const auto& [model, one] : engines) {
      json workers = json::array();
      for (const auto& worker : one->workers()) workers.push_back(as_json(worker));
      models.push_back({{"model", model}, {"workers", std::move(workers)}});
    }
    return [exchange, text = to_text({{"models", std::move(models)}})] { respond_json(*exchange, text); };
  });
}

void admin_drain_worker(call& of, const json_node& body) {
  const std::string name = body.get("worker").text();
  const bool undo = body.flag_or("undo", false);
  auto& model = find_model(of, body);
  run_in_background(of, [&one = model.runs(), name, undo, exchange = of.exchange]() -> std::function<void()> {
    const bool is_known = one.drain_worker(name, undo);
    return [exchange, name, undo, is_known] {
      if (is_known) respond_json(*exchange, to_text({{"worker", name}, {"draining", !undo}}), 202);
      else respond_error(*exchange, api_error(404, "worker_not_found", "there is no worker \"" + name + "\"", "worker"), api_form::openai);
    };
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

namespace {

/// The model whose plan is asked for. One at a time: an engine's plan is of one thread.
served_model& model_of_plan(call& of) {
  const auto parameters = of.exchange->asked().query_parameters();
  const auto named = parameters.find("model");
  auto& model = find_model(of.in, named == parameters.end() ? "" : named->second);
  if (model.plan_in_use) throw api_error(409, "fault_plan_busy", "another request looks at this model's fault plan or changes it");
  return model;
}

/// Runs `work` in the background; then `done`, and the plan is free again.
template <class Result>
void with_plan(call& of, served_model& model, std::function<Result()> work, std::function<void(const Result&)> done) {
  run_in_background(of, [&model, work, done, exchange = of.exchange]() -> std::function<void()> {
    std::optional<Result> result;
    std::string problem, refusal;
    try {
      result = work();
    } catch (const input_error& error) {
      refusal = error.what();
    } catch (const std::exception& error) {
      problem = error.what();
    }
    return [&model, done, exchange, result, problem, refusal] {
      model.plan_in_use = false;
      if (result) done(*result);
      else if (!refusal.empty()) respond_error(*exchange, api_error(400, "invalid_fault_plan", refusal), api_form::openai);
      else respond_error(*exchange, api_error(500, "internal_error", problem), api_form::openai);
    };
  });
  model.plan_in_use = true; // Nothing else has run on the server's thread since it was free.
}

json plan_and_log(const served_model& model, const v1::FaultLog& log) {
  const auto parsed = [](const std::string& text) { return json::parse(text); };
  return {{"model", model.name()},
          {"plan", model.plan ? parsed(troupe::to_json(*model.plan)) : json()},
          {"log", parsed(troupe::to_json(log))}};
}

} // namespace

void admin_use_faults(call& of) {
  const auto plan = std::make_shared<const v1::FaultPlan>(parse_fault_plan(of.exchange->take_body()));
  auto& model = model_of_plan(of);
  with_plan<bool>(
    of, model, [&runs = model.runs(), plan] { return runs.use_faults(plan), true; },
    [&model, plan, exchange = of.exchange](bool) {
      model.plan = plan;
      respond_json(*exchange, to_text({{"model", model.name()}, {"faults", plan->faults_size()}, {"seed", plan->seed()}}), 202);
    });
}

void admin_faults(call& of) {
  auto& model = model_of_plan(of);
  with_plan<v1::FaultLog>(
    of, model, [&runs = model.runs()] { return runs.fault_log(); },
    [&model, exchange = of.exchange](const v1::FaultLog& log) { respond_json(*exchange, to_text(plan_and_log(model, log))); });
}

void admin_end_faults(call& of) {
  auto& model = model_of_plan(of);
  if (!model.plan) throw api_error(404, "no_fault_plan", "no faults are injected into the model \"" + model.name() + "\"");
  with_plan<v1::FaultLog>(
    of, model,
    [&runs = model.runs()] {
      auto log = runs.fault_log();
      runs.use_faults(nullptr);
      return log;
    },
    [&model, exchange = of.exchange](const v1::FaultLog& log) {
      const auto last = plan_and_log(model, log);
      model.plan = nullptr;
      respond_json(*exchange, to_text(last));
    });
}

void admin_drain(call& of) {
  of.in.is_draining = true;
  respond_json(*of.exchange, to_text({{"draining", true}}), 202);
}

} // namespace troupe::service
