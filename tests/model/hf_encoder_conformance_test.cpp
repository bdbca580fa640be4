// Hugging Face folders of models with an encoder against results of transformers: hf/ in the folder of references, see its README.
#include "model/decoding/beam_search.hpp"
#include "model/formats/safetensors.hpp"
#include "model/reference.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace troupe;

namespace {

/// A model of the references, its golden tensors, and how far results may be off.
struct golden_model {
  explicit golden_model(const std::filesystem::path& folder)
      : parts(make_parts(open_model(folder), {.shards = 2})), tensors(folder / "golden.safetensors"),
        facts(nlohmann::json::parse(std::ifstream(folder / "golden.json"))), allowed(facts.at("tolerance").at("atol")),
        hidden_allowed(facts.at("tolerance").at("hidden_states").at("atol")) {}

  std::shared_ptr<const model_parts> parts;
  safetensors_reader tensors;
  nlohmann::json facts;
  double allowed, hidden_allowed;
  double worst = 0, hidden_worst = 0;

  /// The ids of a row of a batch, without its padding; nothing when there is no such tensor.
  std::vector<uint32_t> row(const std::string& batch, const std::string& name, size_t index) const {
    const auto* found = tensors.find(batch + "." + name);
    if (found == nullptr) return {};
    const auto all = tensors.integers(batch + "." + name);
    const size_t length = found->shape.back();
    const auto* mask = name == "decoder_input_ids" ? nullptr : tensors.find(batch + ".attention_mask");
    const auto masks = mask == nullptr ? std::vector<int64_t>{} : tensors.integers(batch + ".attention_mask");
    std::vector<uint32_t> ids;
    for (size_t i = index * length; i < (index + 1) * length; ++i)
      if (masks.empty() || masks[i] != 0) ids.push_back(uint32_t(all[i]));
    return ids;
  }

  /// values: the rows of one sequence; the golden tensor has them at [index, 0...].
  void compare(const std::string& name, size_t index, std::span<const float> values, double most, double& largest) const {
    const auto* found = tensors.find(name);
    REQUIRE(found != nullptr);
    const auto all = tensors.floats(name);
    const size_t of_row = all.size() / found->shape.at(0);
    REQUIRE(values.size() <= of_row);
    double off = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double difference = std::abs(double(values[i]) - all[index * of_row + i]);
      off = difference >= 0 ? std::max(off, difference) : INFINITY;
    }
    INFO(name << ", row " << index);
    CHECK(off <= most);
    largest = std::max(largest, off);
  }
  void compare_logits(const std::string& name, size_t index, std::span<const float> values) { compare(name, index, values, allowed, worst); }
  void compare_hidden(const std::string& prefix, size_t index, const reference_model::hidden_states& states, size_t layers) {
    for (size_t i = 0; i <= layers; ++i)
      compare(prefix + "hidden." + std::to_string(i), index, states.at(i), hidden_allowed, hidden_worst);
  }
  void report(const std::string& name) const {
    std::cout << name << ": outputs off by " << worst << " (at most " << allowed << "), hidden states by " << hidden_worst << " (at most "
              << hidden_allowed << ")\n";
  }
};

/// Columns of a result: "start_logits" and "end_logits" are published apart.
std::vector<float> column(std::span<const float> rows, size_t columns, size_t index) {
  std::vector<float> result;
  for (size_t i = index; i < rows.size(); i += columns) result.push_back(rows[i]);
  return result;
}

void compare_results(golden_model& model, const std::string& batch, size_t index, std::span<const float> results) {
  if (model.parts->spec.output.kind == output_spec::result::spans) {
    model.compare_logits(batch + ".start_logits", index, column(results, 2, 0));
    model.compare_logits(batch + ".end_logits", index, column(results, 2, 1));
  } else {
    model.compare_logits(batch + ".logits", index, results);
  }
}

} // namespace

TEST_CASE("encoders give the recorded logits and hidden states", "[conformance]") {
  const auto folder = testing::references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  for (const std::string name : {"bert_mlm", "bert_seqcls", "distilbert_qa"}) DYNAMIC_SECTION(name) {
      golden_model model(folder / name);
      reference_model encoder(model.parts);
      for (const std::string batch : {"a", "b"}) {
        const size_t rows = model.tensors.get(batch + ".input_ids").shape.at(0);
        for (size_t i = 0; i < rows; ++i) {
          reference_model::hidden_states states;
          const auto results =
              encoder.forward(model.row(batch, "input_ids", i), &states, model.row(batch, "token_type_ids", i));
          compare_results(model, batch, i, results);
          if (batch == "a") model.compare_hidden("a.", i, states, model.parts->layers.size());
        }
      }
      model.report(name);
    }
}

TEST_CASE("a model of images gives the recorded logits and hidden states", "[conformance]") {
  const auto folder = testing::references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  golden_model model(folder / "vit");
  reference_model vision(model.parts);
  const auto all = model.tensors.floats("a.pixel_values");
  const size_t images = model.tensors.get("a.pixel_values").shape.at(0), elements = all.size() / images;
  CHECK(images == 2);
  for (size_t i = 0; i < images; ++i) {
    const std::span<const float> pixels = std::span(all).subspan(i * elements, elements);
    reference_model::hidden_states states;
    const auto logits = vision.forward_image(pixels, &states);
    REQUIRE(logits.size() == 10);
    model.compare_logits("a.logits", i, logits);
    model.compare_hidden("a.", i, states, model.parts->layers.size());
    CHECK(int(std::ranges::max_element(logits) - logits.begin()) == model.facts.at("predicted")[i].get<int>());
    // What enters the class head is the final norm of the last layer.
    std::vector<float> normed(states.back().size());
    const uint32_t width = model.parts->spec.width, rows = uint32_t(normed.size() / width);
    model.parts->output.final_norm->apply({states.back().data(), rows, width, width}, {normed.data(), rows, width, width});
    model.compare("a.last_hidden_state", i, normed, model.hidden_allowed, model.hidden_worst);
  }
  model.report("vit");
}

TEST_CASE("a model that listens gives the recorded logits and hidden states, and continues greedily as recorded", "[conformance]") {
  const auto folder = testing::references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  golden_model model(folder / "whisper");
  reference_model listener(model.parts);
  const uint64_t elements = model.parts->spec.feature_elements();
  REQUIRE(elements == 80 * 100);
  const auto all = model.tensors.floats("a.input_features");
  REQUIRE(all.size() == 2 * elements);
  for (size_t i = 0; i < 2; ++i) {
    reference_model::hidden_states states;
    listener.encode_sound(std::span(all).subspan(i * elements, elements), &states);
    model.compare_hidden("a.encoder.", i, states, model.parts->encoder->layers.size());
    model.compare("a.encoder_last_hidden_state", i, states.back(), model.hidden_allowed, model.hidden_worst);
    const auto logits = listener.forward(model.row("a", "decoder_input_ids", i), &states);
    model.compare_logits("a.logits", i, logits);
    model.compare_hidden("a.decoder.", i, states, model.parts->layers.size());
  }
  model.report("whisper");
  listener.encode_sound(model.tensors.floats("greedy.input_features"));
  auto logits = listener.forward(model.facts.at("greedy").at("decoder_start_ids").get<std::vector<uint32_t>>());
  std::vector<uint32_t> tokens;
  const auto wanted = model.facts.at("greedy").at("ids").get<std::vector<uint32_t>>();
  while (tokens.size() < wanted.size()) {
    const std::span<const float> last = std::span(logits).last(model.parts->spec.vocabulary);
    tokens.push_back(uint32_t(std::ranges::max_element(last) - last.begin()));
    logits = listener.forward({&tokens.back(), 1});
  }
  CHECK(tokens == wanted);
}

TEST_CASE("encoder-decoders give the recorded logits and hidden states, and continue greedily as recorded", "[conformance]") {
  const auto folder = testing::references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  for (const std::string name : {"bart", "marian", "t5", "t5_v11"}) DYNAMIC_SECTION(name) {
      golden_model model(folder / name);
      reference_model translator(model.parts);
      for (size_t i = 0; i < model.tensors.get("a.input_ids").shape.at(0); ++i) {
        reference_model::hidden_states states;
        translator.encode(model.row("a", "input_ids", i), &states);
        model.compare_hidden("a.encoder.", i, states, model.parts->encoder->layers.size());
        model.compare("a.encoder_last_hidden_state", i, states.back(), model.hidden_allowed, model.hidden_worst);
        const auto logits = translator.forward(model.row("a", "decoder_input_ids", i), &states);
        model.compare_logits("a.logits", i, logits);
        model.compare_hidden("a.decoder.", i, states, model.parts->layers.size());
      }
      model.report(name);

      const auto& greedy = model.facts.at("greedy");
      const auto tokens = greedy.at("ids").get<std::vector<uint32_t>>();
      const auto margins = greedy.at("margins").get<std::vector<double>>();
      const auto start = greedy.at("decoder_start_ids").get<std::vector<uint32_t>>();
      REQUIRE(start == std::vector<uint32_t>{model.parts->spec.start_token});
      translator.encode(greedy.at("source_ids").get<std::vector<uint32_t>>());
      auto logits = translator.forward(start);
      for (size_t i = 0; i < tokens.size(); ++i) {
        INFO("greedy step " << i);
        REQUIRE(margins[i] >= 2 * model.allowed);
        REQUIRE(size_t(std::ranges::max_element(logits) - logits.begin()) == tokens[i]);
        logits = translator.forward({&tokens[i], 1});
      }
      CHECK(tokens.size() == 64);
    }
}

namespace {

/// The settings of a recorded beam search, by transformers' names.
struct recorded_search {
  beam_options options;
  token_rules rules;
  uint32_t tokens_max = 0;

  recorded_search(const nlohmann::json& settings, uint32_t end_token) {
    options.beams = options.best = settings.at("num_beams");
    options.length_penalty = settings.at("length_penalty");
    options.stopping = settings.at("early_stopping").get<bool>() ? early_stopping::yes : early_stopping::no;
    tokens_max = settings.at("max_new_tokens");
    rules.end_tokens = {end_token};
    rules.no_repeat_ngram = settings.value("no_repeat_ngram_size", 0u);
    rules.forbidden = settings.value("bad_words_ids", std::vector<std::vector<uint32_t>>{});
    if (settings.contains("forced_bos_token_id")) rules.forced_first = settings.at("forced_bos_token_id").get<uint32_t>();
    if (settings.contains("forced_eos_token_id")) rules.forced_last = settings.at("forced_eos_token_id").get<uint32_t>();
  }
};

std::vector<hypothesis> search(const std::shared_ptr<const model_parts>& parts, const std::vector<uint32_t>& source,
                               const recorded_search& how) {
  beam_search beams(how.options, how.rules, {parts->spec.start_token}, how.tokens_max);
  reference_model translator(parts);
  translator.encode(source);
  while (!beams.done()) {
    std::vector<std::vector<float>> logits;
    for (const auto& branch : beams.live()) {
      translator.rewind(0);
      const auto all = translator.forward(branch.log);
      logits.emplace_back(all.end() - parts->spec.vocabulary, all.end());
    }
    beams.advance({logits.begin(), logits.end()});
  }
  return beams.best();
}

} // namespace

TEST_CASE("beam search finds the recorded sequences and scores", "[conformance]") {
  const auto folder = testing::references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  for (const std::string name : {"bart", "marian", "t5", "t5_v11"}) DYNAMIC_SECTION(name) {
      const golden_model model(folder / name);
      std::ifstream config(folder / name / "config.json");
      const uint32_t end_token = nlohmann::json::parse(config).at("eos_token_id");
      double off = 0;
      int searches = 0;
      for (const auto& recorded : model.facts.at("beam4")) {
        const auto found = search(model.parts, recorded.at("source_ids"), {recorded.at("settings"), end_token});
        const auto& sequences = recorded.at("sequences");
        REQUIRE(found.size() == sequences.size());
        for (size_t i = 0; i < found.size(); ++i) {
          INFO("search " << searches << ", sequence " << i);
          auto tokens = found[i].tokens;
          tokens.insert(tokens.begin(), model.parts->spec.start_token);
          CHECK(tokens == sequences[i].get<std::vector<uint32_t>>());
          off = std::max(off, std::abs(double(found[i].score) - recorded.at("scores")[i].get<double>()));
        }
        ++searches;
      }
      CHECK(off < 1e-4);
      std::cout << name << ": " << searches << " beam searches agree, scores off by " << off << '\n';
    }
}

TEST_CASE("int8 weights change outputs by a little", "[conformance]") {
  const auto folder = testing::references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  for (const std::string name : {"bert_seqcls", "marian", "t5"}) DYNAMIC_SECTION(name) {
      const golden_model model(folder / name);
      const auto parts = make_parts(open_model(folder / name), {.shards = 2, .as_q8_0 = true});
      CHECK(parts->weight_bytes < model.parts->weight_bytes * 3 / 10);
      reference_model exact(model.parts), rounded(parts);
      const auto source = model.row("a", "input_ids", 0), target = model.row("a", "decoder_input_ids", 0);
      if (parts->encoder) {
        exact.encode(source);
        rounded.encode(source);
      }
      const auto wanted = exact.forward(parts->encoder ? target : source), found = rounded.forward(parts->encoder ? target : source);
      double off = 0, size = 0;
      for (size_t i = 0; i < wanted.size(); ++i) {
        off += std::pow(double(found[i]) - wanted[i], 2);
        size += std::pow(double(wanted[i]), 2);
      }
      CHECK(off > 0);
      CHECK(std::sqrt(off / size) < 0.05);
      std::cout << name << " with int8 weights: relative error of the outputs " << std::sqrt(off / size) << '\n';
    }
}
