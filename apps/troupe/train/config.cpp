#include "apps/troupe/train/config.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

namespace troupe {
namespace {

/// Reads the members of an object; finish() refuses those that nobody asked for.
class section {
public:
  explicit section(const json_node& node) : node_(node) { node.members(); }
  section(const section&) = delete;

  std::optional<json_node> find(std::string_view name) {
    known_.push_back(name);
    return node_.find(name);
  }
  json_node get(std::string_view name) {
    known_.push_back(name);
    return node_.get(name);
  }
  void natural(std::string_view name, auto& to, uint64_t low = 0, uint64_t high = uint64_t(1) << 48) {
    const auto found = find(name);
    if (!found) return;
    const uint64_t value = found->natural(high);
    if (value < low) found->fail("wanted at least " + std::to_string(low) + ", found " + std::to_string(value));
    to = std::remove_reference_t<decltype(to)>(value);
  }
  void number(std::string_view name, auto& to, double low, double high) {
    const auto found = find(name);
    if (!found) return;
    const double value = found->number();
    if (!(value >= low && value <= high)) {
      std::ostringstream text;
      text << "wanted a number from " << low << " to " << high << ", found " << value;
      found->fail(text.str());
    }
    to = std::remove_reference_t<decltype(to)>(value);
  }
  void flag(std::string_view name, bool& to) {
    if (const auto found = find(name)) to = found->flag();
  }
  void text(std::string_view name, std::string& to) {
    if (const auto found = find(name)) to = found->text();
  }
  template <class Choice>
  void choice(std::string_view name, Choice& to, std::initializer_list<std::pair<std::string_view, Choice>> choices) {
    const auto found = find(name);
    if (!found) return;
    std::string all;
    for (const auto& [word, value] : choices) {
      if (found->text() == word) {
        to = value;
        return;
      }
      all += (all.empty() ? "" : ", ") + std::string(word);
    }
    found->fail("wanted one of " + all + "; found \"" + found->text() + "\"");
  }
  void finish() const {
    for (const auto& member : node_.members())
      if (std::find(known_.begin(), known_.end(), member.name) == known_.end()) {
        std::string all;
        for (const auto name : known_) all += (all.empty() ? "" : ", ") + std::string(name);
        node_.of(member).fail("there is no such key; here there are: " + all);
      }
  }

private:
  json_node node_;
  std::vector<std::string_view> known_;
};

std::filesystem::path resolve(const std::filesystem::path& folder, const std::string& path) {
  return path.empty() ? std::filesystem::path() : (folder / path).lexically_normal();
}

data_source_options read_source(const json_node& node, const std::filesystem::path& folder, double* validation_share) {
  section in(node);
  data_source_options source;
  in.choice("kind", source.kind,
            {{"text", source_kind::text},
             {"lines", source_kind::lines},
             {"json_lines", source_kind::json_lines},
             {"pairs", source_kind::pairs},
             {"labels", source_kind::labels},
             {"images", source_kind::images}});
  for (const auto& path : in.get("paths").elements()) source.paths.push_back(resolve(folder, path.text()).string());
  if (const auto separator = in.find("separator")) source.separator = separator->text();
  bool whole_files = false;
  in.flag("whole_files", whole_files);
  if (whole_files) source.separator.reset();
  in.text("field", source.field);
  if (const auto labels = in.find("labels"))
    for (const auto& label : labels->elements()) source.labels.push_back(label.text());
  if (validation_share != nullptr) in.number("validation_share", *validation_share, 0, 0.999);
  in.finish();
  require_valid(source);
  return source;
}

vocabulary_options read_vocabulary_options(const json_node& node) {
  section in(node);
  vocabulary_options options;
  in.choice("method", options.method, {{"bpe", vocabulary_method::byte_pair}, {"unigram", vocabulary_method::unigram}});
  in.natural("size", options.size, 8, 1 << 24);
  in.number("character_coverage", options.character_coverage, 0.98, 1);
  in.flag("at_most", options.at_most);
  in.flag("byte_fallback", options.byte_fallback);
  in.flag("split_digits", options.split_digits);
  in.flag("add_bos", options.add_bos);
  in.natural("sample_bytes", options.sample_bytes, 1);
  if (const auto pieces = in.find("user_defined"))
    for (const auto& piece : pieces->elements()) options.user_defined.push_back(piece.text());
  in.finish();
  require_valid(options);
  return options;
}

void read_batches(const json_node& node, train_config& config) {
  section in(node);
  in.choice("mode", config.batches.mode, {{"packed", batch_mode::packed}, {"by_tokens", batch_mode::by_tokens}});
  in.natural("sequence_length", config.batches.sequence_length, 1, 1 << 20);
  in.natural("tokens", config.batches.batch_tokens, 1, (uint64_t(1) << 31) - 1);
  in.natural("micro_batch_tokens", config.micro_batch_tokens, 1, uint64_t(1) << 24);
  in.flag("add_bos", config.tokens.add_bos);
  in.flag("add_eos", config.tokens.add_eos);
  in.number("masked_share", config.masked_share, 0.001, 0.999);
  in.finish();
  require_valid(config.batches);
  if (config.micro_batch_tokens < config.batches.sequence_length) {
    node.get("micro_batch_tokens").fail("wanted at least sequence_length, which is " +
                                        std::to_string(config.batches.sequence_length));
  }
}

void read_optimizer(const json_node& node, train_config& config) {
  section in(node);
  auto& options = config.optimiser;
  in.number("beta1", options.beta1, 0, 0.9999999);
  in.number("beta2", options.beta2, 0, 0.9999999);
  in.number("epsilon", options.epsilon, 0, 1);
  in.number("weight_decay", options.decay, 0, 10);
  in.number("clip_norm", options.clip_norm, 0, 1e9);
  in.number("label_smoothing", config.label_smoothing, 0, 0.999);
  in.number("dropout", config.dropout, 0, 0.99);
  in.number("weights_kept", config.weights_kept, 0, 0.9999999);
  in.finish();
}

void read_schedule(const json_node& node, rate_schedule& schedule) {
  section in(node);
  in.choice("kind", schedule.kind,
            {{"constant", schedule_kind::constant},
             {"linear", schedule_kind::linear},
             {"cosine", schedule_kind::cosine},
             {"inverse_square_root", schedule_kind::inverse_square_root}});
  in.number("peak", schedule.peak, 0, 1000);
  in.number("lowest", schedule.lowest, 0, 1000);
  in.natural("warmup", schedule.warmup);
  in.finish();
}

/// The text once more, as nlohmann's parser gives it, which can write what it has read.
nlohmann::json parse_again(const std::string& text) { return nlohmann::json::parse(text, nullptr, true, true); }

std::string identity_of(const std::string& text) {
  auto json = parse_again(text);
  for (const char* key :
       {"output", "epochs", "steps", "validate_every", "validation_batches", "patience", "save_every", "checkpoints_kept"})
    json.erase(key);
  if (json.contains("batches")) json["batches"].erase("micro_batch_tokens");
  return json.dump();
}

/// The text of the model's description: an object in the configuration, or in a file that it names.
std::string read_description(const json_node& model, const std::filesystem::path& file, const std::string& all) {
  if (!model.is_text()) {
    model.members(); // It is an object.
    return parse_again(all).at("model").dump();
  }
  const auto path = resolve(file.parent_path(), model.text());
  std::string text = read_text(path, 16 << 20);
  json_file(path, text).root().members();
  return text;
}

void read_model(section& in, const json_node& root, const std::filesystem::path& file, const std::string& text, train_config& config) {
  const auto folder = file.parent_path();
  const auto model = in.find("model"), checkpoint = in.find("checkpoint"), words = in.find("vocabulary"),
             tokenizer = in.find("tokenizer");
  if (model.has_value() == checkpoint.has_value())
    root.fail("wanted either \"model\" (a new one) or \"checkpoint\" (a folder to go on from)");
  if (checkpoint) {
    config.checkpoint = resolve(folder, checkpoint->text());
    if (words) words->fail("a checkpoint brings its own vocabulary");
    if (tokenizer) tokenizer->fail("a checkpoint brings its own tokenizer");
    return;
  }
  config.model = read_description(*model, file, text);
  if (config.data.kind == source_kind::images) {
    for (const auto& one : {words, tokenizer})
      if (one) one->fail("a model of images has no vocabulary");
    return;
  }
  if (words.has_value() == tokenizer.has_value())
    root.fail("wanted either \"vocabulary\" (to be made from the data) or \"tokenizer\" (a folder with a tokenizer.json)");
  if (words) config.vocabulary = read_vocabulary_options(*words);
  else config.tokenizer = resolve(folder, tokenizer->text());
}

} // namespace

train_config read_train_config(const std::filesystem::path& file) {
  const std::string text = read_text(file, 16 << 20);
  const json_file content(file, text, true);
  const json_node root = content.root();
  const auto folder = file.parent_path();
  section in(root);
  train_config config;
  config.file = file;
  config.output = resolve(folder, in.get("output").text());
  if (config.output.empty()) in.get("output").fail("wanted a folder");
  config.data = read_source(in.get("data"), folder, &config.validation_share);
  read_model(in, root, file, text, config);
  if (const auto validation = in.find("validation_data")) {
    if (config.validation_share > 0) validation->fail("there is a validation_share of the data already");
    config.validation_data = read_source(*validation, folder, nullptr);
  }
  in.natural("seed", config.seed, 0, ~uint64_t(0));
  if (const auto batches = in.find("batches")) read_batches(*batches, config);
  else require_valid(config.batches);
  if (const auto optimizer = in.find("optimizer")) read_optimizer(*optimizer, config);
  if (const auto schedule = in.find("schedule")) read_schedule(*schedule, config.schedule);
  const auto epochs = in.find("epochs"), steps = in.find("steps");
  if (epochs && steps) steps->fail("there are \"epochs\" already");
  in.natural("epochs", config.epochs, 1);
  if (steps) {
    config.steps = steps->natural(uint64_t(1) << 48);
    if (*config.steps == 0) steps->fail("wanted at least 1");
  }
  in.natural("validate_every", config.validate_every);
  in.natural("validation_batches", config.validation_batches);
  in.natural("patience", config.patience);
  in.natural("save_every", config.save_every);
  in.natural("checkpoints_kept", config.checkpoints_kept, 1, 1000);
  in.finish();
  config.batches.seed = config.seed;
  config.identity = identity_of(text);
  if (config.vocabulary) config.vocabulary->seed = config.seed;
  return config;
}

std::string complete_model(const std::string& model, const vocabulary& words, const std::vector<std::string>& labels) {
  auto json = nlohmann::ordered_json::parse(model);
  const auto set = [&](const char* key, const auto& value) {
    if (!json.contains(key) || json[key].is_null()) json[key] = value;
  };
  const auto set_token = [&](const char* key, const std::optional<uint32_t>& token) {
    if (token) set(key, *token);
  };
  const auto pieces = uint32_t(words.pieces.size());
  if (words.kind != tokenizer_kind::none) set("vocab_size", pieces); // Else it is a model of images.
  const auto size = json.value("vocab_size", nlohmann::ordered_json());
  if (size.is_number_unsigned() && size.get<uint64_t>() < pieces)
    throw input_error("model.vocab_size is " + size.dump() + ", but the vocabulary has " + std::to_string(pieces) + " pieces");
  if (json.contains("decoder_layers")) {
    set_token("bos_token_id", words.bos);
    set_token("eos_token_id", words.eos);
    set_token("pad_token_id", words.padding ? words.padding : words.eos); // Other programs have a default that may be no token.
    set_token("decoder_start_token_id", words.bos ? words.bos : words.eos);
  }
  if (labels.empty() || (json.contains("id2label") && !json["id2label"].is_null())) return json.dump(2);
  json["id2label"] = nlohmann::ordered_json::object();
  json["label2id"] = nlohmann::ordered_json::object();
  for (size_t i = 0; i < labels.size(); ++i) {
    json["id2label"][std::to_string(i)] = labels[i];
    json["label2id"][labels[i]] = i;
  }
  return json.dump(2);
}

std::string_view train_config_template() {
  return R"(// A training run: troupe train CONFIG.json. Relative paths are relative to this file. Comments are allowed.
{
  // The run's folder: checkpoints, tokens, metrics, loss curve.
  "output": "run",

  // The model, as Hugging Face's config.json describes it; vocab_size comes from the vocabulary. Or the path of such a file. Its
  // "architectures" say what is learned: to continue texts (llama, qwen2, qwen3, gpt2), to turn a source into a target (bart, marian),
  // to find masked tokens (BertForMaskedLM), the label of a text (BertForSequenceClassification) or of an image
  // (ViTForImageClassification, which needs no vocabulary).
  // To go on from weights that exist, write "checkpoint": "FOLDER" in place of "model" and "vocabulary".
  "model": {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"],
    "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
    "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "hidden_act": "silu", "tie_word_embeddings": true
  },

  // Made from the training data. method: bpe or unigram. "at_most": true: a text of few words may give fewer pieces. In place of it:
  // "tokenizer": "FOLDER" with a tokenizer.json. To find masked tokens it needs a piece for them: "user_defined": ["[MASK]"].
  "vocabulary": {"method": "bpe", "size": 4096, "character_coverage": 0.9995, "byte_fallback": true},

  // kind: text (documents end at blank lines, or at lines equal to "separator"; "whole_files": true makes each file one), lines (each is a
  // document), json_lines (the string in "field"), pairs (source, tab, target: a line each), labels (text, tab, label: a line each;
  // "labels": [...] names them in order) or images (PNGs and JPEGs in folders that are called as their labels). paths: files, folders,
  // patterns. validation_share: of the documents, kept to see how well it
  // goes; "validation_data": {"kind": ..., "paths": [...]} beside "data" names files of their own.
  "data": {"kind": "text", "paths": ["train.txt"], "validation_share": 0.01},

  // mode: packed (documents end to end) or by_tokens (a document is an example; similar lengths together). tokens: of a batch, which is
  // one update. micro_batch_tokens: of the parts in which it goes through the model; it changes no bit of the result. Pairs and labels
  // are always by_tokens. masked_share: of tokens, for models that find masked ones (0.15 where it is absent).
  "batches": {"mode": "packed", "sequence_length": 256, "tokens": 16384, "micro_batch_tokens": 2048, "add_bos": true, "add_eos": true},

  // Adam; AdamW where weight_decay is not 0. clip_norm 0: gradients are not clipped. weights_kept: exponential smoothing, 0: none.
  "optimizer": {"beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1, "clip_norm": 1.0,
                "label_smoothing": 0.0, "dropout": 0.0, "weights_kept": 0.0},

  // kind: cosine, linear, constant or inverse_square_root. warmup: in steps.
  "schedule": {"kind": "cosine", "peak": 1e-3, "lowest": 1e-4, "warmup": 100},

  "epochs": 1,             // Or "steps": how many updates.
  "validate_every": 500,   // Steps; 0: after each epoch.
  "validation_batches": 0, // At most so many; 0: all.
  "patience": 0,           // Stop after so many validations without a better loss; 0: never.
  "save_every": 0,         // Steps; 0: at each validation.
  "checkpoints_kept": 2,   // The newest; the best is kept besides.
  "seed": 1                // Of weights, split and order.
}
)";
}

} // namespace troupe
