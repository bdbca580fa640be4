#include "apps/troupe/inspect/model_facts.hpp"
#include "actors/threads/processors.hpp"
#include "model/kernels/isa.hpp"
#include <algorithm>
#include <charconv>
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

/// The double that prints as the float does: 1e-05, not 9.999999747378752e-06.
double plain(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double result = value;
  std::from_chars(text, end, result);
  return result;
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

json layer_facts(const layer_spec& layer) {
  const attention_spec& attention = layer.attention;
  return {
    {"attention",
     {{"heads", attention.heads}, {"kv_heads", attention.kv_heads}, {"head_dim", attention.head_dim},
      {"causal", attention.causal}, {"query_key_norm", attention.query_key_norm.has_value()},
      {"rope", rope_facts(attention.rope)}}},
    {"feed_forward",
     {{"width", layer.feed_forward.width}, {"gated", layer.feed_forward.gated},
      {"activation", name_of(layer.feed_forward.activation)}}},
    {"norm", {{"kind", layer.norm.kind == norm_kind::rms ? "rms" : "layer"}, {"epsilon", plain(layer.norm.epsilon)}}},
  };
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
        collect_lines(rest, "layers " + std::to_string(first) + "-" + std::to_string(last) + ": ", out);
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
  return {
    {"file", model.path.string()},
    {"file_bytes", model.file_bytes},
    {"architecture", model.spec.architecture},
    {"name", model.spec.name},
    {"parameters", model.parameters},
    {"tensor_types", types},
    {"context_length", model.spec.context_length},
    {"width", model.spec.width},
    {"vocabulary", model.spec.vocabulary},
    {"positions", name_of(model.spec.embedding.positions)},
    {"layer_count", model.spec.layers.size()},
    {"layers", layer_groups(model.spec.layers)},
    {"tokenizer", tokenizer_facts(model.words)},
    {"instruction_set", current_isa()},
    {"processors", {{"count", processors.count}, {"reason", processors.reason}}},
  };
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
