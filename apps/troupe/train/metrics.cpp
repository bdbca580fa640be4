#include "apps/troupe/train/metrics.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include <nlohmann/json.hpp>

namespace troupe {

metrics_file::metrics_file(std::filesystem::path path, uint64_t update) : path_(std::move(path)) {
  std::string kept;
  std::ifstream before(path_);
  for (std::string line; std::getline(before, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue; // Cut off by a crash, say.
    const auto has_number = [&](const char* name) { return json.contains(name) && json[name].is_number(); };
    if (!has_number("update") || json["update"] > update) continue;
    if (has_number("val_loss")) history_.validation.push_back({json["update"], json["val_loss"]});
    else if (has_number("loss")) history_.training.push_back({json["update"], json["loss"]});
    else continue;
    kept += line + "\n";
  }
  before.close();
  atomic_file rewritten(path_);
  rewritten.write(std::as_bytes(std::span(kept)));
  rewritten.commit();
  file_.open(path_, std::ios::app);
}

void metrics_file::write(const std::string& line) {
  file_ << line << '\n' << std::flush;
  if (!file_) throw input_error(path_.string() + ": cannot be written: is the disk full?");
}

void metrics_file::add(const training_figures& figures) {
  history_.training.push_back({figures.update, figures.loss});
  const nlohmann::ordered_json json{{"update", figures.update},
                                    {"loss", figures.loss},
                                    {"accuracy", figures.targets == 0 ? 0 : double(figures.hits) / double(figures.targets)},
                                    {"gradient_norm", figures.gradient_norm},
                                    {"rate", figures.rate},
                                    {"tokens", figures.rows},
                                    {"seconds", std::chrono::duration<double>(figures.wall).count()},
                                    {"compute_seconds", std::chrono::duration<double>(figures.compute).count()},
                                    {"attempts", figures.attempts}};
  write(json.dump());
}

void metrics_file::add(const validation_figures& figures) {
  history_.validation.push_back({figures.update, figures.loss});
  const nlohmann::ordered_json json{{"update", figures.update},
                                    {"val_loss", figures.loss},
                                    {"val_accuracy", figures.targets == 0 ? 0 : double(figures.hits) / double(figures.targets)},
                                    {"is_best", figures.is_best}};
  write(json.dump());
}

} // namespace troupe
