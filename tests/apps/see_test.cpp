// troupe see, and what the other commands make of a model of images: recorded results, and what they must do with any such model.
#include "apps/encoder_models.hpp"
#include "model/error.hpp"
#include "model/formats/safetensors.hpp"
#include "model/images/preparation.hpp"
#include "model/images/read_image.hpp"
#include "model/model_file.hpp"
#include "model/outputs/label_scores.hpp"
#include "model/reference.hpp"
#include "model/testing/image_files.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <iterator>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

const std::string& tiny_vit() {
  static const std::string folder =
    write_tiny_encoder("ViTForImageClassification", "{}", R"({"id2label": {"0": "cat", "1": "dog", "2": "horse", "3": "tree", "4": "sky"}})")
      .string();
  return folder;
}

std::string write_bytes(std::span<const uint8_t> bytes, const std::string& suffix) {
  return write_temporary({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, suffix).string();
}

outcome see(std::vector<std::string> more, std::string_view input = "") {
  std::vector<std::string> arguments{"see", "-m", tiny_vit(), "--threads", "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_troupe(arguments, input);
}

/// By the reference: probabilities by label.
std::map<std::string, double> wanted_of(const rgb_image& image) {
  static const auto model = open_model(tiny_vit());
  reference_model reference(make_parts(model, {}));
  const auto names = labels_of(model->spec.output);
  const auto scores = softmax(reference.forward_image(prepare_image(image, *model->images, *model->spec.embedding.image)));
  std::map<std::string, double> wanted;
  for (size_t i = 0; i < names.size(); ++i) wanted[names[i]] = scores[i];
  return wanted;
}

std::string bytes_of_file(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Runs `troupe logits` and returns the output file's path.
std::string run_logits(const std::string& model, const std::string& input, std::vector<std::string> more) {
  const std::string output = temporary_path(".safetensors").string();
  std::vector<std::string> arguments{"logits", "-m", model, "--input", input, "--output", output};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const outcome result = run_troupe(arguments);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return output;
}

std::string write_pixels(const std::vector<uint64_t>& shape, const std::vector<float>& values, const char* name = "pixel_values") {
  const auto path = temporary_path(".safetensors").string();
  safetensors_writer file{path, {{name, safetensors_type::float32, shape}}};
  file.write(values);
  file.finish();
  return path;
}

} // namespace

TEST_CASE("see gives each image its labels with the reference's probabilities, the likeliest first") {
  const auto first = made_up_image(40, 30, 1), second = made_up_image(9, 200, 2);
  const std::string png = write_bytes(png_file(first), ".png"), jpeg = write_bytes(jpeg_file(second), ".jpg");
  const auto result = see({png, jpeg, "--json", "--top", "0"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto lines = json_lines_of(result.out);
  REQUIRE(lines.size() == 2);
  const rgb_image images[] = {first, read_image(std::filesystem::path(jpeg))};
  for (size_t i = 0; i < 2; ++i) {
    const auto wanted = wanted_of(images[i]);
    REQUIRE(lines[i].at("labels").size() == 5);
    double before = 1;
    for (const auto& one : lines[i].at("labels")) {
      CHECK(one.at("probability") == wanted.at(one.at("label")));
      CHECK(one.at("probability") <= before);
      before = one.at("probability");
    }
  }
  // The same whatever the work is cut into, and where files are named on stdin.
  CHECK(run_troupe({"see", "-m", tiny_vit(), "--threads", "1", "--shards", "3", "--parallel", "1", png, jpeg, "--json", "--top", "0"}).out ==
        result.out);
  CHECK(see({"--json", "--top", "0"}, png + "\n" + jpeg + "\n").out == result.out);
  const auto best = see({png, "--top", "1"});
  CHECK(best.out.starts_with(lines[0].at("labels")[0].at("label").get<std::string>() + " 0."));
  CHECK(best.out.find('\t') == std::string::npos);
}

TEST_CASE("an image that cannot be read fails alone, with one clear reason") {
  const auto image = made_up_image(20, 20);
  const auto jpeg = jpeg_file(image);
  const std::string good = write_bytes(png_file(image), ".png");
  const std::string pixel = write_bytes(png_file(made_up_image(1, 1)), ".png");
  const std::string cut = write_bytes(std::span(jpeg).first(jpeg.size() / 2), ".jpg");
  const std::string text = write_temporary("no image", ".png").string();
  const std::string huge = write_bytes(png_file(20'000, 10'000, 1, png_colours::grey,
                                                [](uint32_t, std::span<uint8_t> row) { std::fill(row.begin(), row.end(), uint8_t(0)); }),
                                       ".png");
  const auto result = see({good, cut, text, huge, "/nowhere.png", pixel, good, "--json"});
  CHECK(result.exit_code == 1);
  const auto lines = json_lines_of(result.out);
  REQUIRE(lines.size() == 7);
  CHECK(lines[0] == lines[6]);
  CHECK(lines[0].contains("labels"));
  CHECK(lines[5].contains("labels"));
  CHECK_THAT(lines[1].at("error").get<std::string>(), ContainsSubstring(cut + ": the JPEG is damaged"));
  CHECK_THAT(lines[2].at("error").get<std::string>(), ContainsSubstring(text + ": is no image that can be read"));
  CHECK_THAT(lines[3].at("error").get<std::string>(), ContainsSubstring(huge + ": an image of 20000 x 10000 pixels is too large"));
  CHECK_THAT(lines[4].at("error").get<std::string>(), ContainsSubstring("/nowhere.png"));
  CHECK_THAT(result.err, ContainsSubstring("see: image 2: "));
  CHECK(see({cut}).out == "\n");
}

TEST_CASE("a model of images without a head gives vectors") {
  const std::string folder = write_tiny_encoder("ViTModel").string();
  const std::string image = write_bytes(png_file(made_up_image(30, 20)), ".png");
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"see", "-m", folder, "--threads", "2", image, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = run_troupe(arguments);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return json::parse(result.out).at("embedding").get<std::vector<float>>();
  };
  CHECK(run({}).size() == 32);
  CHECK(run({}) != run({"--pooling", "mean"}));
  double sum = 0;
  for (const float x : run({"--normalize"})) sum += double(x) * x;
  CHECK(std::abs(sum - 1) < 1e-5);
}

TEST_CASE("a model of images is refused by other commands, and other models by see, each by the right name") {
  const std::string bert = write_tiny_encoder("BertForSequenceClassification").string();
  const std::string image = write_bytes(png_file(made_up_image(3, 3)), ".png");
  for (const char* command : {"classify", "embed", "fill-mask"}) {
    const auto result = run_troupe({command, "-m", tiny_vit(), "text"});
    CHECK(result.exit_code == 3);
    CHECK_THAT(result.err, ContainsSubstring("this model says what is in images: use `troupe see`"));
  }
  const auto other = run_troupe({"see", "-m", bert, image});
  CHECK(other.exit_code == 3);
  CHECK_THAT(other.err, ContainsSubstring("use `troupe classify`"));
}

TEST_CASE("logits of pixels are the recorded ones, with the same bytes however the work is cut, and by the reference", "[conformance]") {
  const auto folder = recorded_model("vit");
  if (folder.empty()) TROUPE_SKIP("no hf/vit");
  const safetensors_reader golden(folder / "golden.safetensors");
  const auto input = write_pixels(golden.get("a.pixel_values").shape, golden.floats("a.pixel_values"));
  const auto output = run_logits(folder.string(), input, {"--hidden-states", "--threads", "2"});
  const safetensors_reader found(output);
  const json tolerance = golden_of(folder).at("tolerance");
  const auto check = [&](const std::string& name, const std::string& recorded, double allowed) {
    const auto ours = found.floats(name), theirs = golden.floats(recorded);
    CHECK(found.get(name).shape == golden.get(recorded).shape);
    REQUIRE(ours.size() == theirs.size());
    for (size_t i = 0; i < ours.size(); ++i) REQUIRE(std::abs(double(ours[i]) - theirs[i]) <= allowed);
  };
  check("logits", "a.logits", tolerance.at("atol"));
  for (int i = 0; i < 3; ++i)
    check("hidden_states." + std::to_string(i), "a.hidden." + std::to_string(i), tolerance.at("hidden_states").at("atol"));
  CHECK(bytes_of_file(run_logits(folder.string(), input, {"--hidden-states", "--reference"})) == bytes_of_file(output));
  CHECK(bytes_of_file(run_logits(folder.string(), input, {"--hidden-states", "--threads", "1", "--shards", "3", "--chunk", "5"})) ==
        bytes_of_file(output));
}

TEST_CASE("pixels that do not fit the model end with 3 and say what is wanted") {
  const auto refused = [](const std::string& input) {
    const auto result = run_troupe({"logits", "-m", tiny_vit(), "--input", input, "--output", temporary_path(".safetensors").string()});
    CHECK(result.exit_code == 3);
    return result.err;
  };
  CHECK_THAT(refused(write_pixels({1, 3, 14, 15}, std::vector<float>(3 * 14 * 15))),
             ContainsSubstring("pixel_values: wanted [batch, 3, 14, 14], the size that the model takes"));
  CHECK_THAT(refused(write_pixels({3, 14, 14}, std::vector<float>(3 * 14 * 14), "pixels")), ContainsSubstring("pixel_values"));
  CHECK_THAT(refused(write_pixels({3, 14, 14}, std::vector<float>(3 * 14 * 14, INFINITY))), ContainsSubstring("not a finite number"));
  // One image needs no batch.
  run_logits(tiny_vit(), write_pixels({3, 14, 14}, std::vector<float>(3 * 14 * 14, 0.5f)), {"--threads", "1"});
}

TEST_CASE("inspect says what a model of images takes, bench measures it, and chaos and simulate disturb it in vain") {
  const json facts = json::parse(run_troupe({"inspect", "-m", tiny_vit(), "--json"}).out);
  CHECK(facts.at("command") == "see");
  CHECK(facts.at("image").at("patches") == 9);
  CHECK(facts.at("image").at("resized_to") == json({14, 14}));
  const auto bench = run_troupe({"bench", "-m", tiny_vit(), "--threads", "2", "--repetitions", "1", "--clients", "3", "--json"});
  INFO(bench.err);
  REQUIRE(bench.exit_code == 0);
  const json measured = json::parse(bench.out);
  CHECK(measured.at("prompt_tokens") == 10);
  CHECK(measured.at("encode").at("tokens_per_s") > 0);
  const auto plan = write_temporary(R"({"faults": [
    {"name": "the front end dies", "selector": {"path": "/replica/0/embedding"}, "trigger": {"nth_message": 1}, "effect": {"kill": {}}},
    {"name": "a head dies", "selector": {"path": "/replica/0/layer/1/head/0"}, "trigger": {"nth_message": 1}, "effect": {"kill": {}}}]})",
                                    ".json");
  const auto chaos = run_troupe({"chaos", "-m", tiny_vit(), "--plan", plan.string(), "--threads", "2", "--clients", "4", "--json"});
  INFO(chaos.err);
  REQUIRE(chaos.exit_code == 0);
  const json report = json::parse(chaos.out);
  CHECK(report.at("requests").size() == 32);
  for (const auto& one : report.at("requests")) CHECK(one.at("verdict") == "identical");
  CHECK(report.at("injections").size() == 2);
  CHECK(run_troupe({"simulate", "--kind", "images", "--seeds", "1..20", "--quiet"}).exit_code == 0);
  CHECK(run_troupe({"simulate", "--kind", "images", "--train", "--seeds", "1..10"}).exit_code == 0);
  CHECK(run_troupe({"simulate", "-m", tiny_vit(), "--seeds", "1..5", "--quiet"}).exit_code == 0);
}

TEST_CASE("a folder that is written of a model of images gives the same bytes again, and a GGUF file of it is refused") {
  const std::string copy = temporary_path().string(), image = write_bytes(png_file(made_up_image(30, 20)), ".png");
  const auto folder = write_tiny_encoder("ViTForImageClassification");
  std::ofstream(folder / "preprocessor_config.json") << R"({"size": {"shortest_edge": 16}, "do_center_crop": true, "crop_size": 14, "resample": 3,
    "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]})";
  const auto written = run_troupe({"export", "-m", folder.string(), "--folder", copy, "--quiet"});
  INFO(written.err);
  REQUIRE(written.exit_code == 0);
  const auto labels = run_troupe({"see", "-m", folder.string(), image, "--json"}).out;
  CHECK(run_troupe({"see", "-m", copy, image, "--json"}).out == labels);
  CHECK(see({image, "--json"}).out != labels); // What the configuration says matters.
  const safetensors_reader tensors(std::filesystem::path(copy) / "model.safetensors");
  CHECK(tensors.get("vit.embeddings.patch_embeddings.projection.weight").shape == std::vector<uint64_t>{32, 3, 4, 4});
  CHECK(tensors.get("vit.embeddings.cls_token").shape == std::vector<uint64_t>{1, 1, 32});
  CHECK(run_troupe({"export", "-m", tiny_vit(), "--gguf", copy + ".gguf"}).exit_code == 3);
}
