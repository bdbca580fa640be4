#include "apps/troupe/train/checkpoint.hpp"
#include "model/error.hpp"
#include "model/families/save_model.hpp"
#include "model/formats/atomic_file.hpp"
#include "model/formats/atomic_folder.hpp"
#include "model/formats/json.hpp"
#include "model/formats/safetensors.hpp"
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

namespace fs = std::filesystem;

constexpr const char* optimizer_file = "optimizer.safetensors";
constexpr const char* position_file = "training_state.json";
constexpr const char* whole_prefix = "step-";

fs::path checkpoints_of(const fs::path& run) { return run / "checkpoints"; }

std::string folder_name(uint64_t update) {
  const std::string digits = std::to_string(update);
  return whole_prefix + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits;
}

/// The update that a folder's name says; nothing for other names.
std::optional<uint64_t> update_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  if (!name.starts_with(whole_prefix)) return std::nullopt;
  const std::string digits = name.substr(std::string_view(whole_prefix).size());
  if (digits.size() < 8 || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return std::stoull(digits);
}

/// One array of a tensor, whole.
using array_of = std::vector<float> trained_slice::*;
constexpr std::pair<const char*, array_of> arrays[] = {{".first_moment", &trained_slice::first_moment},
                                                       {".second_moment", &trained_slice::second_moment},
                                                       {".value", &trained_slice::value}};

class tensors_of_state {
public:
  explicit tensors_of_state(const trained_state& state) {
    for (const auto& one : state.slices) slices_[one.slice.key].push_back(&one);
    for (auto& [key, all] : slices_)
      std::ranges::sort(all, {}, [](const trained_slice* one) { return one->slice.rows.first; });
  }
  std::vector<float> whole(const tensor_key& key, array_of array) const {
    std::vector<float> values;
    const auto found = slices_.find(key);
    TROUPE_ASSERT(found != slices_.end());
    for (const trained_slice* one : found->second) values.insert(values.end(), (one->*array).begin(), (one->*array).end());
    return values;
  }
  const auto& all() const { return slices_; }
  bool is_smoothed() const { return !slices_.empty() && !slices_.begin()->second.front()->smoothed.empty(); }

private:
  std::map<tensor_key, std::vector<const trained_slice*>> slices_;
};

/// The moments, and the weights too where the model's file has smoothed ones.
void write_optimizer(const fs::path& path, const tensors_of_state& tensors) {
  std::vector<safetensors_plan> plan;
  std::vector<std::pair<tensor_key, array_of>> order;
  for (const auto& [key, slices] : tensors.all()) {
    uint64_t rows = 0;
    for (const trained_slice* one : slices) rows += one->slice.rows.count;
    for (const auto& [ending, array] : arrays) {
      if (array == &trained_slice::value && !tensors.is_smoothed()) continue;
      plan.push_back({to_string(key) + ending, safetensors_type::float32, {rows, slices.front()->slice.columns}});
      order.emplace_back(key, array);
    }
  }
  safetensors_writer writer(path, plan);
  for (const auto& [key, array] : order) writer.write(std::span<const float>(tensors.whole(key, array)));
  writer.finish();
}

void write_text(const fs::path& path, const std::string& text) {
  atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

std::string to_json(const run_position& at) {
  const nlohmann::ordered_json json{{"update", at.update},
                                    {"best_loss", at.best_loss},
                                    {"best_update", at.best_update},
                                    {"validations", at.validations},
                                    {"validations_without_improvement", at.validations_without_improvement},
                                    {"epoch_loss", at.epoch_loss},
                                    {"epoch_targets", at.epoch_targets},
                                    {"epoch_hits", at.epoch_hits},
                                    {"trained_tokens", at.trained_tokens},
                                    {"trained_seconds", at.trained_seconds},
                                    {"config", at.config}};
  return json.dump(2) + "\n";
}

run_position read_position(const fs::path& path) {
  const json_file file(path, 16 << 20);
  const json_node root = file.root();
  run_position at;
  at.update = root.get("update").natural();
  at.best_loss = root.get("best_loss").number();
  at.best_update = root.get("best_update").natural();
  at.validations = root.get("validations").natural();
  at.validations_without_improvement = root.get("validations_without_improvement").natural();
  at.epoch_loss = root.get("epoch_loss").number();
  at.epoch_targets = root.get("epoch_targets").natural();
  at.epoch_hits = root.get("epoch_hits").natural();
  at.trained_tokens = root.get("trained_tokens").natural();
  at.trained_seconds = root.get("trained_seconds").number();
  at.config = root.get("config").text();
  return at;
}

} // namespace

fs::path save_checkpoint(const fs::path& run, const model_file& model, const fs::path& tokenizer, const trained_state& state,
                         const run_position& position) {
  const fs::path path = checkpoints_of(run) / folder_name(state.update);
  fs::create_directories(path.parent_path());
  if (fs::exists(path)) return path; // Of the same update: the same bytes.
  const tensors_of_state tensors(state);
  atomic_folder folder(path);
  const array_of weights = tensors.is_smoothed() ? &trained_slice::smoothed : &trained_slice::value;
  save_folder(folder.partial(), model, [&](const tensor_key& key) { return tensors.whole(key, weights); });
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"}) {
    std::error_code none; // Not all of the folder: it may be that of another model.
    if (!tokenizer.empty() && fs::exists(tokenizer / name, none))
      write_text(folder.partial() / name, read_text(tokenizer / name, uint64_t(1) << 30));
  }
  write_optimizer(folder.partial() / optimizer_file, tensors);
  write_text(folder.partial() / position_file, to_json(position));
  folder.commit();
  return path;
}

std::optional<fs::path> newest_checkpoint(const fs::path& run) {
  std::optional<fs::path> newest;
  std::error_code ignored;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(checkpoints_of(run), ignored)) {
    if (entry.path().filename().string().find(".partial") != std::string::npos) unfinished.push_back(entry.path());
    else if (update_of(entry.path()) && (!newest || *update_of(*newest) < *update_of(entry.path()))) newest = entry.path();
  }
  for (const auto& path : unfinished) fs::remove_all(path, ignored);
  return newest;
}

loaded_checkpoint load_checkpoint(const fs::path& folder, const trainable_builder& model) {
  loaded_checkpoint loaded{{}, read_position(folder / position_file)};
  loaded.state.update = loaded.position.update;
  const safetensors_reader optimizer(folder / optimizer_file);
  const auto weights = open_model(folder);
  // The builder of the saved weights fills whole tensors as it would those of a new model.
  const trainable_builder saved(weights->spec, weights->tensors, 1, model.leaf_rows_min());
  trainable_model parts = saved.all();
  const bool is_smoothed = !optimizer.tensors().empty() && optimizer.tensors().back().name.ends_with(".value");
  for (const parameter* one : parts.parameters()) {
    trained_slice slice{one->slice, one->value, {}, {}, {}};
    const auto read = [&](const char* ending) {
      // Of a tensor that is cut among heads: its rows.
      const auto whole = optimizer.floats(to_string(one->slice.key) + ending);
      const uint64_t first = uint64_t(one->slice.rows.first) * one->slice.columns;
      if (first + one->value.size() > whole.size())
        optimizer.fail(to_string(one->slice.key) + ending, "it has another shape than the model's tensor");
      return std::vector<float>(whole.begin() + ptrdiff_t(first), whole.begin() + ptrdiff_t(first + one->value.size()));
    };
    slice.first_moment = read(".first_moment");
    slice.second_moment = read(".second_moment");
    if (is_smoothed) {
      slice.smoothed = std::move(slice.value);
      slice.value = read(".value");
    }
    loaded.state.slices.push_back(std::move(slice));
  }
  return loaded;
}

void point_to(const fs::path& run, const std::string& name, const fs::path& checkpoint) {
  const fs::path link = run / name, temporary = run / (name + ".partial");
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_directory_symlink(fs::path("checkpoints") / checkpoint.filename(), temporary, error);
  if (!error) fs::rename(temporary, link, error);
  if (error) throw input_error(link.string() + ": cannot make this link: " + error.message());
}

void remove_old_checkpoints(const fs::path& run, uint64_t kept) {
  std::vector<fs::path> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoints_of(run), error))
    if (update_of(entry.path())) all.push_back(entry.path());
  std::ranges::sort(all, std::greater(), [](const fs::path& path) { return *update_of(path); });
  for (size_t i = kept; i < all.size(); ++i) {
    const bool is_linked = std::ranges::any_of(std::initializer_list<const char*>{"best", "last"}, [&](const char* name) {
      return fs::read_symlink(run / name, error).filename() == all[i].filename();
    });
    if (!is_linked) fs::remove_all(all[i], error);
  }
}

} // namespace troupe
