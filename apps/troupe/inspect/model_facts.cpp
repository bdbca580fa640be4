#include "apps/troupe/inspect/model_facts.hpp"
#include "actors/threads/processors.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/tasks.hpp"
#include "model/kernels/isa.hpp"
#include <algorithm>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

const char* name_of(rope_kind kind) {
  switch (kind) {
    case rope_kind::none: return "none";
    case rope_kind::interleaved: return "interleaved";
    case rope_kind::half_split: return "half_split";
  }
  return "?";
}

const char* name_of(activation_kind kind) {
  switch (kind) {
    case activation_kind::relu: return "relu";
    case activation_kind::gelu_tanh: return "gelu_tanh";
    case activation_kind::gelu_erf: return "gelu_erf";
    case activation_kind::silu: return "silu";
    case activation_kind::tanh: return "tanh";
  }
  return "?";
}

const char* name_of(position_kind kind) {
  switch (kind) {
    case position_kind::none: return "none";
    case position_kind::learned: return "learned";
    case position_kind::sinusoidal:
    case position_kind::sinusoidal_halves: return "sinusoidal";
  }
  return "?";
}

const char* name_of(resampling how) {
  switch (how) {
    case resampling::box: return "box";
    case resampling::bilinear: return "bilinear";
    case resampling::bicubic: return "bicubic";
  }
  return "?";
}

const char* name_of(tokenizer_kind kind) {
  switch (kind) {
    case tokenizer_kind::none: return "none";
    case tokenizer_kind::sentencepiece: return "sentencepiece";
    case tokenizer_kind::byte_pair: return "byte_pair";
    case tokenizer_kind::character_pair: return "character_pair";
    case tokenizer_kind::unigram: return "unigram";
    case tokenizer_kind::word_piece: return "word_piece";
    case tokenizer_kind::marian: return "marian";
  }
  return "?";
}

const char* name_of(output_spec::result kind) {
  switch (kind) {
    case output_spec::result::tokens: return "tokens";
    case output_spec::result::labels: return "labels";
    case output_spec::result::spans: return "spans";
    case output_spec::result::hidden_states: return "hidden_states";
  }
  return "?";
}

json rope_facts(const rope_spec& rope) {
  json facts{{"kind", name_of(rope.kind)}};
  if (rope.kind == rope_kind::none) return facts;
  facts["dimensions"] = rope.dimensions;
  facts["base"] = plain(rope.base);
  facts["scaling_factor"] = plain(rope.scaling_factor);
  facts["factors"] = rope.factors.size();
  return facts;
}

json norm_facts(const norm_spec& norm) {
  return {{"kind", norm.kind == norm_kind::rms ? "rms" : "layer"}, {"epsilon", plain(norm.epsilon)}};
}

json attention_facts(const attention_spec& attention) {
  json facts{{"heads", attention.heads}, {"kv_heads", attention.kv_heads}, {"head_dim", attention.head_dim},
             {"causal", attention.causal}, {"query_key_norm", attention.query_key_norm.has_value()},
             {"rope", rope_facts(attention.rope)}};
  if (const auto& relative = attention.relative_positions)
    facts["relative_positions"] = {{"buckets", relative->buckets}, {"distance_max", relative->distance_max},
                                   {"bidirectional", relative->bidirectional}};
  return facts;
}

json layer_facts(const layer_spec& layer) {
  json facts{{"attention", attention_facts(layer.attention)}};
  if (const auto& cross = layer.cross_attention)
    facts["cross_attention"] = {{"heads", cross->heads}, {"kv_heads", cross->kv_heads}, {"head_dim", cross->head_dim}};
  facts["feed_forward"] = {{"width", layer.feed_forward.width}, {"gated", layer.feed_forward.gated},
                           {"activation", name_of(layer.feed_forward.activation)}};
  facts["norm"] = norm_facts(layer.norm);
  facts["norm"]["place"] = layer.norms == norm_place::before ? "before" : "after";
  return facts;
}

/// Runs of layers that are alike: nearly always a single one.
json layer_groups(const std::vector<layer_spec>& layers) {
  json groups = json::array();
  json last;
  for (size_t index = 0; index < layers.size(); ++index) {
    const json facts = layer_facts(layers[index]);
    if (groups.empty() || facts != last) {
      groups.push_back({{"first", index}, {"count", 0}});
      groups.back().update(facts);
      last = facts;
    }
    groups.back()["count"] = groups.back()["count"].get<size_t>() + 1;
  }
  return groups;
}

/// What a stack has beside its layers' facts, and these.
void add_stack_facts(const stack_spec& stack, json& facts) {
  facts["context_length"] = stack.context_length;
  facts["positions"] = name_of(stack.embedding.positions);
  if (stack.embedding.segments > 0) facts["segments"] = stack.embedding.segments;
  facts["embedding_scale"] = plain(stack.embedding.scale);
  facts["embedding_norm"] = stack.embedding.norm ? norm_facts(*stack.embedding.norm) : json();
  facts["layer_count"] = stack.layers.size();
  facts["layers"] = layer_groups(stack.layers);
  facts["final_norm"] = stack.final_norm ? norm_facts(*stack.final_norm) : json();
}

json output_facts(const output_spec& output) {
  json facts{{"kind", name_of(output.kind)}, {"columns", output.columns}, {"of_first_row", output.of_first_row}};
  if (output.transform) {
    facts["transform"] = {{"activation", name_of(output.transform->activation)},
                          {"norm", output.transform->norm ? norm_facts(*output.transform->norm) : json()}};
  }
  if (!output.labels.empty()) facts["labels"] = output.labels;
  return facts;
}

/// How the publisher wants it to be decoded: what `troupe translate` does unless it is told otherwise.
json decoding_facts(const model_file& model) {
  const auto& [tokens_max, search, rules, speech, ignored] = model.decoding;
  json facts{{"start_token", model.spec.start_token}, {"end_tokens", rules.end_tokens}};
  facts["tokens_max"] = tokens_max ? json(*tokens_max) : json();
  facts["tokens_min"] = rules.tokens_min;
  facts["beams"] = search.beams;
  facts["length_penalty"] = plain(search.length_penalty);
  facts["early_stopping"] = search.stopping == early_stopping::never ? json("never") : json(search.stopping == early_stopping::yes);
  facts["no_repeat_ngram"] = rules.no_repeat_ngram;
  facts["forced_first"] = rules.forced_first ? json(*rules.forced_first) : json();
  facts["forced_last"] = rules.forced_last ? json(*rules.forced_last) : json();
  facts["forbidden"] = rules.forbidden;
  facts["suppressed"] = rules.suppressed.size();
  facts["suppressed_first"] = rules.suppressed_first;
  if (speech) {
    json languages = json::array();
    for (const auto& [name, token] : speech->languages) languages.push_back(name);
    const auto token = [](std::optional<uint32_t> id) { return id ? json(*id) : json(); };
    facts["speech"] = {{"languages", languages}, {"transcribe", token(speech->transcribe)}, {"translate", token(speech->translate)},
                       {"no_speech", token(speech->no_speech)}, {"no_timestamps", token(speech->no_timestamps)}};
  }
  facts["ignored"] = json::array();
  for (const auto& one : ignored) facts["ignored"].push_back(one.key);
  return facts;
}

/// What a model of images takes, and how `troupe see` makes it of a file.
json image_facts(const image_spec& image, const image_preparation& how) {
  json facts{{"channels", image.channels}, {"height", image.height}, {"width", image.width},
             {"patch_height", image.patch_height}, {"patch_width", image.patch_width}, {"patches", image.patches()}};
  using target = image_preparation::target;
  if (how.resizes_to == target::exact) facts["resized_to"] = {how.height, how.width};
  else if (how.resizes_to == target::shortest_side) facts["shortest_side"] = how.height;
  if (how.resizes_to != target::none) facts["resampling"] = name_of(how.how);
  if (how.crops) facts["cropped_to"] = {how.crop_height, how.crop_width};
  facts["factor"] = how.factor;
  facts["mean"] = json::array();
  for (const float x : how.mean) facts["mean"].push_back(plain(x));
  facts["deviation"] = json::array();
  for (const float x : how.deviation) facts["deviation"].push_back(plain(x));
  return facts;
}

/// What a model that listens takes, and how `troupe transcribe` makes it of a file.
json audio_facts(const audio_preparation& how) {
  return {{"rate", how.rate}, {"seconds", how.seconds()}, {"bins", how.bins}, {"frames", how.frames}, {"window", how.window},
          {"hop", how.hop}};
}

json token_fact(const vocabulary& words, std::optional<uint32_t> id) {
  if (!id) return nullptr;
  return {{"id", *id}, {"piece", *id < words.pieces.size() ? words.pieces[*id] : ""}};
}

json tokenizer_facts(const vocabulary& words) {
  json facts{{"kind", name_of(words.kind)}};
  if (words.kind == tokenizer_kind::none) return facts;
  facts["pre_tokenizer"] = words.pre_tokenizer;
  for (const auto& pattern : words.patterns) facts["patterns"].push_back(pattern.expression);
  facts["pieces"] = words.pieces.size();
  facts["merges"] = words.merges.size();
  facts["bos"] = token_fact(words, words.bos);
  facts["eos"] = token_fact(words, words.eos);
  facts["unknown"] = token_fact(words, words.unknown);
  facts["padding"] = token_fact(words, words.padding);
  facts["end_of_generation"] = words.end_of_generation;
  facts["add_bos"] = words.add_bos;
  facts["add_eos"] = words.add_eos;
  facts["chat_template"] = !words.chat_template.empty();
  return facts;
}

void collect_lines(const json& facts, const std::string& prefix, std::vector<std::pair<std::string, std::string>>& out) {
  for (const auto& [key, value] : facts.items()) {
    const std::string name = prefix + key;
    if (key == "layers") { // Groups of layers; people want to read "layers 0-4".
      for (const json& group : value) {
        const auto first = group["first"].get<size_t>(), last = first + group["count"].get<size_t>() - 1;
        json rest = group;
        rest.erase("first");
        rest.erase("count");
        collect_lines(rest, prefix + "layers " + std::to_string(first) + "-" + std::to_string(last) + ": ", out);
      }
      continue;
    }
    if (value.is_object() && value.contains("piece")) {
      out.emplace_back(name, value["id"].dump() + " " + value["piece"].dump(-1, ' ', false, json::error_handler_t::replace));
    } else if (value.is_object() || (value.is_array() && !value.empty() && value.front().is_object())) {
      collect_lines(value, name + ".", out);
    } else {
      out.emplace_back(name, value.is_string() ? value.get<std::string>()
                             : value.is_null() ? "-"
                                               : value.dump(-1, ' ', false, json::error_handler_t::replace));
    }
  }
}

} // namespace

json model_facts(const model_file& model) {
  json types;
  for (const auto& [name, count] : model.tensor_types) types[name] = count;
  const processor_limit processors = usable_processors();
  json facts{
    {"file", model.path.string()},
    {"file_bytes", model.file_bytes},
    {"architecture", model.spec.architecture},
    {"name", model.spec.name},
    {"command", command_for(model.spec)},
    {"parameters", model.parameters},
    {"tensor_types", types},
    {"width", model.spec.width},
    {"vocabulary", model.spec.vocabulary},
  };
  if (model.images) facts["image"] = image_facts(*model.spec.embedding.image, *model.images);
  if (model.audio) facts["audio"] = audio_facts(*model.audio);
  if (model.spec.encoder) add_stack_facts(*model.spec.encoder, facts["encoder"]);
  add_stack_facts(model.spec, facts);
  facts["output"] = output_facts(model.spec.output);
  if (model.spec.encoder) facts["decoding"] = decoding_facts(model);
  facts["tokenizer"] = tokenizer_facts(model.words);
  facts["instruction_set"] = current_isa();
  facts["processors"] = {{"count", processors.count}, {"reason", processors.reason}};
  return facts;
}

json tensor_list(const model_file& model) {
  const auto source = open_source(model.path);
  json list = json::array();
  for (size_t i = 0; i < source->tensor_count(); ++i) {
    const source_tensor tensor = source->tensor(i);
    list.push_back({{"name", std::string(tensor.name)}, {"type", std::string(tensor.type_name)},
                    {"rows", tensor.rows}, {"columns", tensor.columns}, {"bytes", tensor.bytes}});
  }
  return list;
}

std::string as_lines(const json& facts) {
  std::vector<std::pair<std::string, std::string>> lines;
  collect_lines(facts, "", lines);
  size_t width = 0;
  for (const auto& line : lines) width = std::max(width, line.first.size());
  std::string out;
  for (const auto& [name, value] : lines) out += name + std::string(width + 2 - name.size(), ' ') + value + "\n";
  return out;
}

} // namespace troupe
