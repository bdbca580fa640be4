// `troupe train` as its users run it: a tiny model, a few steps.
#include "apps/process.hpp"
#include "apps/run_folder.hpp"
#include "model/testing/image_files.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include "support/file_limit.hpp"
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

using namespace troupe::testing;
using nlohmann::json;
namespace fs = std::filesystem;

TEST_CASE("train makes a vocabulary, trains, validates, saves a model that generate reads") {
  const run_folder folder;
  const outcome result = folder.train();
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json", "optimizer.safetensors", "training_state.json"})
    CHECK(fs::exists(folder.last() / file));
  CHECK(text_of(folder.path / "run" / "loss.svg").starts_with("<svg"));
  std::istringstream metrics(text_of(folder.path / "run" / "metrics.jsonl"));
  std::vector<double> losses, validations;
  for (std::string line; std::getline(metrics, line);) {
    const json entry = json::parse(line);
    if (entry.contains("loss")) losses.push_back(entry["loss"]);
    else validations.push_back(entry["val_loss"]);
  }
  REQUIRE(losses.size() == 6);
  CHECK(losses.back() < losses.front());
  CHECK(validations.size() == 2);
  const outcome story = run_troupe({"generate", "-m", (folder.path / "run" / "best").string(), "-p", "Ann saw", "-n", "8"});
  INFO(story.err);
  CHECK(story.exit_code == 0);
  CHECK_FALSE(story.out.empty());
}

TEST_CASE("a run that is resumed has the bytes of one that was not interrupted") {
  const run_folder whole;
  REQUIRE(whole.train().exit_code == 0);
  run_folder killed;
  killed.config["save_every"] = 1;
  {
    troupe_process process({"train", killed.write(), "--threads", "2", "--json"});
    process.read_out(900); // Some steps.
    process.signal(SIGKILL);
    CHECK(process.finish().exit_code == 137);
  }
  const outcome resumed = killed.train({"--resume"});
  INFO(resumed.err);
  REQUIRE(resumed.exit_code == 0);
  CHECK(killed.weights() == whole.weights());
  CHECK(text_of(killed.last() / "training_state.json").find("\"update\": 6") != std::string::npos);
}

TEST_CASE("lines of the metrics that are damaged are dropped when a run is resumed") {
  run_folder folder(3);
  REQUIRE(folder.train().exit_code == 0);
  const fs::path metrics = folder.path / "run" / "metrics.jsonl";
  const std::string before = text_of(metrics);
  std::ofstream(metrics, std::ios::app) << "[1]\n{\"update\": \"x\", \"loss\": 1}\n{\"update\": 1, \"loss\": {}}\n{\"update\": 2, \"lo";
  folder.config["steps"] = 4;
  const auto resumed = folder.train({"--resume"});
  INFO(resumed.err);
  REQUIRE(resumed.exit_code == 0);
  CHECK(text_of(metrics).starts_with(before + "{\"update\":4"));
}

TEST_CASE("a disk that fills up ends the run with an error; the newest checkpoint stays, and the run goes on from there") {
  run_folder whole(4);
  REQUIRE(whole.train().exit_code == 0);
  run_folder folder(2);
  REQUIRE(folder.train().exit_code == 0);
  const std::string before = folder.weights();
  folder.config["steps"] = 4;
  {
    const file_limit limit(20 << 10);
    const outcome full = folder.train({"--resume"});
    INFO(full.err);
    CHECK(full.exit_code == 3);
    CHECK_THAT(full.err, ContainsSubstring("cannot write the file"));
  }
  CHECK(folder.weights() == before);
  size_t checkpoints = 0;
  for (const auto& entry : fs::directory_iterator(folder.path / "run" / "checkpoints")) {
    CHECK(entry.path().filename() == "step-00000002");
    ++checkpoints;
  }
  CHECK(checkpoints == 1);
  REQUIRE(folder.train({"--resume"}).exit_code == 0);
  CHECK(folder.weights() == whole.weights());
}

TEST_CASE("SIGTERM saves and ends; the run goes on from there") {
  const run_folder whole;
  REQUIRE(whole.train().exit_code == 0);
  const run_folder stopped;
  {
    troupe_process process({"train", stopped.write(), "--threads", "2", "--json"});
    process.read_out(300);
    process.signal(SIGTERM);
    const outcome result = process.finish();
    INFO(result.err);
    CHECK((result.exit_code == 143 || result.exit_code == 0)); // 0: it was done already.
  }
  REQUIRE(stopped.train({"--resume"}).exit_code == 0);
  CHECK(stopped.weights() == whole.weights());
}

TEST_CASE("threads, shards, micro-batches in flight and actors that are killed change no bit of the weights") {
  const run_folder plain;
  REQUIRE(plain.train().exit_code == 0);
  const std::string wanted = plain.weights();
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"--shards", "1", "--in-flight", "1"}, {"--shards", "3"}, {"--threads", "1"}}) {
    const run_folder other;
    REQUIRE(other.train(options).exit_code == 0);
    CHECK(other.weights() == wanted);
  }
  const run_folder disturbed;
  const fs::path plan = disturbed.path / "plan.json";
  std::ofstream(plan) << R"({"seed": 3, "faults": [
    {"name": "a head", "selector": {"path": "/replica/0/layer/1/head/0"}, "trigger": {"nth_message": 30}, "effect": {"kill": {}}},
    {"name": "a shard", "selector": {"path": "/replica/0/layer/0/shard/1"}, "trigger": {"nth_message": 70}, "effect": {"throw": {}}},
    {"name": "a layer", "selector": {"path": "/replica/0/layer/0"}, "trigger": {"nth_message": 200}, "effect": {"kill": {}}},
    {"name": "NaN", "selector": {"from": "/replica/0/layer/1/head/1", "message": "HeadPassResult"}, "trigger": {"nth_message": 9}, "effect": {"not_a_number": {}}},
    {"name": "the trainer", "selector": {"path": "/trainer"}, "trigger": {"nth_message": 150}, "effect": {"kill": {}}},
    {"name": "everything", "selector": {"path": "/supervisor"}, "trigger": {"nth_message": 1}, "effect": {"kill": {}}}]})";
  const outcome result = disturbed.train({"--plan", plan.string()});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.err.find("attempts failed") != std::string::npos); // The faults did happen.
  CHECK(disturbed.weights() == wanted);
}

TEST_CASE("what is wrong with a configuration or its data is said once, and nothing is left half-written") {
  const auto error_of = [](const run_folder& folder) {
    const outcome result = folder.train();
    CHECK(result.exit_code == 3);
    CHECK_FALSE(fs::exists(folder.path / "run" / "last"));
    return result.err;
  };
  run_folder folder;
  folder.config["batchs"] = 3;
  CHECK_THAT(error_of(folder), ContainsSubstring("batchs") && ContainsSubstring("there is no such key"));
  folder = run_folder();
  folder.config["batches"]["sequence_length"] = 128;
  folder.config["batches"]["micro_batch_tokens"] = 256;
  CHECK_THAT(error_of(folder), ContainsSubstring("sequence_length is 128") && ContainsSubstring("64"));
  folder = run_folder();
  folder.config["optimizer"] = {{"beta1", 2}};
  CHECK_THAT(error_of(folder), ContainsSubstring("optimizer.beta1"));
  folder = run_folder();
  folder.config["data"]["paths"] = {"absent.txt"};
  CHECK_THAT(error_of(folder), ContainsSubstring("absent.txt"));
  folder = run_folder();
  std::ofstream(folder.path / "train.txt", std::ios::trunc);
  CHECK_THAT(error_of(folder), ContainsSubstring("train.txt") && ContainsSubstring("empty"));
  folder = run_folder();
  folder.config["model"]["model_type"] = "mystery";
  CHECK_THAT(error_of(folder), ContainsSubstring("mystery"));
  folder = run_folder();
  folder.config["model"] = 3;
  CHECK_THAT(error_of(folder), ContainsSubstring("model: wanted"));
  folder.config["model"] = "model.json";
  CHECK_THAT(error_of(folder), ContainsSubstring("model.json"));
  std::ofstream(folder.path / "model.json") << "[1, 2";
  CHECK_THAT(error_of(folder), ContainsSubstring("model.json"));
  std::ofstream(folder.path / "model.json") << "7";
  CHECK_THAT(error_of(folder), ContainsSubstring("model.json") && ContainsSubstring("wanted"));
}

TEST_CASE("documents that are no UTF-8 are skipped, and counted") {
  const run_folder folder(1);
  std::ofstream(folder.path / "train.txt", std::ios::app) << "\xff\xfe bad\n\n";
  const outcome result = folder.train();
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK(result.err.find("skipped as no UTF-8: 1") != std::string::npos);
}

TEST_CASE("a run that exists is neither continued nor overwritten unasked, nor resumed with another model") {
  run_folder folder(2);
  REQUIRE(folder.train().exit_code == 0);
  const outcome again = folder.train();
  CHECK(again.exit_code == 3);
  CHECK(again.err.find("--resume") != std::string::npos);
  folder.config["seed"] = 8;
  CHECK(folder.train({"--resume"}).exit_code == 3);
  folder.config["seed"] = 7;
  folder.config["steps"] = 4;
  CHECK(folder.train({"--resume"}).exit_code == 0);
}

TEST_CASE("the printed configuration is one that is read, comments and all") {
  const outcome printed = run_troupe({"train", "--print-config"});
  REQUIRE(printed.exit_code == 0);
  const auto folder = temporary_folder();
  std::ofstream(folder / "config.json") << printed.out;
  const outcome result = run_troupe({"train", (folder / "config.json").string()});
  CHECK(result.exit_code == 3); // There is no train.txt.
  CHECK(result.err.find("train.txt") != std::string::npos);
}

namespace {

const json tiny_bert{{"model_type", "bert"},     {"hidden_size", 32},        {"num_hidden_layers", 1},         {"num_attention_heads", 2},
                     {"intermediate_size", 48},  {"hidden_act", "gelu"},     {"max_position_embeddings", 64},  {"type_vocab_size", 1},
                     {"initializer_range", 0.1}, {"layer_norm_eps", 1e-12}};

/// A run on lines of two columns.
run_folder run_on_lines(const std::string& lines, const char* kind, const json& model) {
  run_folder folder(8);
  std::ofstream(folder.path / "lines.tsv") << lines;
  folder.config["model"] = model;
  folder.config["data"] = {{"kind", kind}, {"paths", {"lines.tsv"}}, {"validation_share", 0.1}};
  return folder;
}

/// Of the steps and of the validations, by the metrics.
std::pair<std::vector<json>, std::vector<json>> metrics_of(const run_folder& folder) {
  std::pair<std::vector<json>, std::vector<json>> all;
  std::istringstream metrics(text_of(folder.path / "run" / "metrics.jsonl"));
  for (std::string line; std::getline(metrics, line);) {
    const json entry = json::parse(line);
    (entry.contains("loss") ? all.first : all.second).push_back(entry);
  }
  return all;
}

} // namespace

TEST_CASE("train teaches an encoder-decoder to turn sources into targets, and resumes it to the same bytes") {
  std::string lines;
  const char* words[] = {"red", "kite", "boat", "moon", "rain"};
  for (int i = 0; i < 80; ++i) {
    const std::string first = words[i % 5], second = words[i / 5 % 5];
    lines += first + " " + second + "\t" + second + " " + first + "\n";
  }
  auto folder = run_on_lines(lines, "pairs",
                             {{"model_type", "marian"}, {"architectures", {"MarianMTModel"}}, {"d_model", 32}, {"encoder_layers", 1},
                              {"decoder_layers", 1}, {"encoder_attention_heads", 2}, {"decoder_attention_heads", 2},
                              {"encoder_ffn_dim", 48}, {"decoder_ffn_dim", 48}, {"activation_function", "relu"},
                              {"max_position_embeddings", 64}, {"scale_embedding", true}, {"init_std", 0.1}});
  folder.config["optimizer"] = {{"label_smoothing", 0.1}, {"dropout", 0.1}};
  folder.config["vocabulary"]["size"] = 300;
  const outcome result = folder.train();
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto [steps, validations] = metrics_of(folder);
  REQUIRE(steps.size() == 8);
  CHECK(steps.back()["loss"] < steps.front()["loss"]);
  CHECK(validations.size() == 3);
  CHECK_THAT(result.err, ContainsSubstring(" texts of the validation: exact match "));
  CHECK_THAT(result.err, ContainsSubstring("try: troupe translate -m "));
  const json saved = json::parse(text_of(folder.last() / "config.json"));
  CHECK(saved["decoder_start_token_id"] == saved["bos_token_id"]);

  // With other threads, shards and micro-batches, and stopped in the middle.
  run_folder resumed = run_on_lines(lines, "pairs", folder.config["model"]);
  resumed.config["optimizer"] = folder.config["optimizer"];
  resumed.config["vocabulary"] = folder.config["vocabulary"];
  resumed.config["schedule"] = folder.config["schedule"] = {{"kind", "constant"}, {"peak", 0.01}};
  resumed.config["steps"] = 3;
  resumed.config["batches"]["micro_batch_tokens"] = 128;
  REQUIRE(resumed.train({"--threads", "1"}).exit_code == 0);
  resumed.config["steps"] = 8;
  REQUIRE(resumed.train({"--resume", "--shards", "3"}).exit_code == 0);
  fs::remove_all(folder.path / "run");
  REQUIRE(folder.train().exit_code == 0);
  CHECK(resumed.weights() == folder.weights());
}

TEST_CASE("train teaches a classifier labels by their names, which its folder keeps") {
  std::string lines;
  for (int i = 0; i < 80; ++i)
    lines += (i % 2 == 0 ? "what a lovely day number " : "this is an awful day number ") + std::to_string(i) +
             (i % 2 == 0 ? "\tglad\n" : "\tsad\n");
  json model = tiny_bert;
  model["architectures"] = {"BertForSequenceClassification"};
  auto folder = run_on_lines(lines, "labels", model);
  folder.config["steps"] = 30;
  folder.config["schedule"] = {{"kind", "constant"}, {"peak", 0.003}};
  folder.config["validate_every"] = 10;
  const outcome result = folder.train({"--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto validations = metrics_of(folder).second;
  CHECK(validations.back()["val_accuracy"] == 1.0);
  const json evaluation = json::parse(result.out.substr(result.out.rfind("\n", result.out.size() - 2) + 1));
  CHECK(evaluation["event"] == "evaluation");
  CHECK(evaluation["accuracy"] == 1.0);
  CHECK(evaluation["texts"].get<int>() > 0);
  const json saved = json::parse(text_of(folder.last() / "config.json"));
  CHECK(saved["id2label"] == json{{"0", "glad"}, {"1", "sad"}});
  CHECK(saved["label2id"] == json{{"glad", 0}, {"sad", 1}});

  // On from there, and with a label that it does not know.
  folder.config.erase("model");
  folder.config.erase("vocabulary");
  folder.config["checkpoint"] = "run/last";
  folder.config["output"] = "more";
  CHECK(folder.train().exit_code == 0);
  std::ofstream(folder.path / "lines.tsv", std::ios::app) << "who knows\tundecided\n";
  folder.config["output"] = "again";
  const outcome refused = folder.train();
  CHECK(refused.exit_code != 0);
  CHECK(refused.err.find("the label \"undecided\" is not one of the 2 that were given") != std::string::npos);
}

/// Folders "bright" and "dark" of images of 12 x 12 pixels.
run_folder run_on_images() {
  run_folder folder(30);
  for (int i = 0; i < 60; ++i) {
    troupe::rgb_image image = made_up_image(12, 12, uint64_t(i + 1));
    for (auto& colour : image.pixels) colour = uint8_t(i % 2 == 0 ? 128 + colour / 2 : colour / 2);
    const auto bytes = png_file(image);
    const auto to = folder.path / "images" / (i % 2 == 0 ? "bright" : "dark");
    fs::create_directories(to);
    const std::string_view content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::ofstream(to / (std::to_string(i) + ".png"), std::ios::binary) << content;
  }
  folder.config["model"] = {{"model_type", "vit"}, {"architectures", {"ViTForImageClassification"}}, {"hidden_size", 16},
                            {"num_hidden_layers", 2}, {"num_attention_heads", 2}, {"intermediate_size", 32}, {"hidden_act", "gelu"},
                            {"image_size", 12}, {"patch_size", 4}};
  folder.config.erase("vocabulary");
  folder.config["data"] = {{"kind", "images"}, {"paths", {"images"}}, {"validation_share", 0.2}};
  folder.config["batches"] = {{"sequence_length", 10}, {"tokens", 160}, {"micro_batch_tokens", 40}};
  folder.config["schedule"] = {{"kind", "constant"}, {"peak", 0.003}};
  folder.config["validate_every"] = 10;
  return folder;
}

TEST_CASE("train teaches a model of images the labels of their folders, and `see` reads what it has saved") {
  auto folder = run_on_images();
  const outcome result = folder.train();
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("training: 60 images with 2 labels"));
  CHECK_THAT(result.err, ContainsSubstring("12 images of the validation: accuracy 100.00 %"));
  CHECK_THAT(result.err, ContainsSubstring("try: troupe see -m " + (folder.path / "run" / "best").string() + " IMAGE"));
  CHECK(metrics_of(folder).second.back()["val_accuracy"] == 1.0);
  const json saved = json::parse(text_of(folder.last() / "config.json"));
  CHECK(saved["id2label"] == json{{"0", "bright"}, {"1", "dark"}});
  CHECK(fs::exists(folder.last() / "preprocessor_config.json"));
  for (const std::string label : {"bright", "dark"}) {
    const auto image = fs::directory_iterator(folder.path / "images" / label)->path().string();
    const outcome seen = run_troupe({"see", "-m", folder.last().string(), image, "--top", "1", "--json", "--quiet"});
    CHECK_THAT(seen.out, ContainsSubstring("\"" + label + "\""));
  }
}

TEST_CASE("a run on images goes on byte for byte, with other threads and shards") {
  auto folder = run_on_images();
  folder.config["steps"] = 8;
  folder.config["validate_every"] = 4;
  REQUIRE(folder.train().exit_code == 0);
  auto resumed = run_on_images();
  resumed.config["validate_every"] = 4;
  resumed.config["steps"] = 4;
  REQUIRE(resumed.train({"--threads", "1"}).exit_code == 0);
  resumed.config["steps"] = 8;
  REQUIRE(resumed.train({"--resume", "--shards", "3"}).exit_code == 0);
  CHECK(resumed.weights() == folder.weights());
}

TEST_CASE("images that a model cannot learn from are refused") {
  auto folder = run_on_images();
  auto refused = [&](const std::string& message) {
    const outcome result = folder.train();
    CHECK(result.exit_code == 3);
    CHECK_THAT(result.err, ContainsSubstring(message));
    fs::remove_all(folder.path / "run");
  };
  folder.config["vocabulary"] = {{"size", 300}};
  refused("a model of images has no vocabulary");
  folder.config.erase("vocabulary");
  std::ofstream(folder.path / "images" / "dark" / "broken.png") << "no image";
  refused("broken.png");
  fs::remove(folder.path / "images" / "dark" / "broken.png");
  folder.config["data"]["labels"] = {"bright"};
  refused("\"dark\" is not one of the 1 labels");
  folder.config["data"] = {{"kind", "text"}, {"paths", {"train.txt"}}};
  folder.config["vocabulary"] = {{"method", "bpe"}, {"size", 300}};
  refused("a model of images learns from images with labels");
}

TEST_CASE("train teaches a model to find masked tokens") {
  run_folder folder(8);
  folder.config["model"] = tiny_bert;
  folder.config["model"]["architectures"] = {"BertForMaskedLM"};
  const outcome without = folder.train();
  CHECK(without.exit_code != 0);
  CHECK(without.err.find("the vocabulary has no [MASK] or <mask>") != std::string::npos);
  fs::remove_all(folder.path / "run");
  folder.config["vocabulary"]["user_defined"] = {"[MASK]"};
  const std::string mode = GENERATE("packed", "by_tokens");
  folder.config["batches"]["mode"] = mode;
  const outcome result = folder.train();
  INFO(mode << ": " << result.err);
  REQUIRE(result.exit_code == 0);
  const auto steps = metrics_of(folder).first;
  REQUIRE(steps.size() == 8);
  CHECK(steps.back()["loss"] < steps.front()["loss"]);
}

TEST_CASE("data of another kind than the model learns from are refused") {
  json model = tiny_bert;
  model["architectures"] = {"BertForSequenceClassification"};
  auto pairs = run_on_lines("a\tb\nc\td\n", "pairs", model);
  pairs.config["vocabulary"]["size"] = 264; // More cannot be made of so little text.
  const auto classifier = pairs.train();
  INFO(classifier.err);
  CHECK(classifier.exit_code != 0);
  CHECK(classifier.err.find("a model that classifies texts learns from texts with labels") != std::string::npos);
  run_folder decoder;
  std::ofstream(decoder.path / "lines.tsv") << "a\tb\nc\td\n";
  decoder.config["data"] = {{"kind", "labels"}, {"paths", {"lines.tsv"}}};
  decoder.config["vocabulary"]["size"] = 264;
  const auto refused = decoder.train();
  INFO(refused.err);
  CHECK(refused.exit_code != 0);
  CHECK(refused.err.find("data.kind is \"labels\", but the model gives none") != std::string::npos);
}

TEST_CASE("train --lines learns from the lines of a text file, by a configuration that it writes") {
  const auto folder = temporary_folder();
  {
    std::ofstream text(folder / "lines.txt");
    const char* things[] = {"kite", "boat", "moon", "loaf of bread"};
    for (int i = 0; i < 400; ++i)
      text << "Today, for the " << i << "th time, somebody saw a " << things[i % 4] << " and a " << things[i / 4 % 4] << ".\n";
  }
  const std::string lines = folder / "lines.txt", output = folder / "out";
  const auto train = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"train", "--lines", lines, "--output", output, "--threads", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_troupe(arguments);
  };
  const outcome result = train({"--epochs", "2"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("from 320 documents")); // Four fifths.
  CHECK_THAT(result.err, ContainsSubstring("Epoch 2/2"));
  CHECK_THAT(result.err, ContainsSubstring("val_acc "));
  CHECK_THAT(result.err, ContainsSubstring("try: troupe generate -m " + output + "/best -p TEXT"));
  const json config = json::parse(text_of(folder / "out" / "config.json"));
  CHECK(config["batches"]["tokens"] == 64 * config["batches"]["sequence_length"].get<int>());
  CHECK(run_troupe({"generate", "-m", output + "/best", "-p", "Today", "--max-tokens", "3", "--quiet"}).exit_code == 0);
  const outcome again = train({});
  CHECK(again.exit_code == 3);
  CHECK_THAT(again.err, ContainsSubstring("there is a run already; go on with troupe train " + output + "/config.json --resume"));
  CHECK(run_troupe({"train", output + "/config.json", "--resume", "--quiet"}).exit_code == 0);
  CHECK(run_troupe({"train", "--lines", lines, output + "/config.json"}).exit_code == 2);
  CHECK(run_troupe({"train", "--epochs", "2"}).exit_code == 2);
  { // So few words that there are fewer pieces than one would like.
    std::ofstream text(folder / "few.txt");
    for (int i = 0; i < 300; ++i) text << "the cat saw the dog and the dog saw the cat\n";
  }
  const outcome few = run_troupe({"train", "--lines", folder / "few.txt", "--output", output + "_few", "--epochs", "1", "--threads", "2"});
  INFO(few.err);
  CHECK(few.exit_code == 0);
  const outcome missing = run_troupe({"train", "--lines", "/nowhere/lines.txt", "--output", output + "2"});
  CHECK(missing.exit_code == 3);
  CHECK_THAT(missing.err, ContainsSubstring("/nowhere/lines.txt: cannot be read"));
}
