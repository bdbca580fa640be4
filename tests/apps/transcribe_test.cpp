// troupe transcribe, and what the other commands make of a model that listens: recorded results, and what they must do with any such model.
#include "apps/encoder_models.hpp"
#include "apps/transcription/transcription.hpp"
#include "model/formats/safetensors.hpp"
#include "model/testing/audio_files.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <iterator>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

std::string whisper() { return (references() / "hf" / "whisper").string(); }

/// A sound of changing tones, written to a file.
std::string write_sound(const char* format, uint32_t rate, double seconds, double hz = 300) {
  const auto count = size_t(seconds * rate);
  auto sound = tone(hz, rate, count);
  const auto other = tone(hz * 2.7, rate, count);
  for (size_t i = 0; i < count; ++i)
    if (i / (rate / 4) % 2 == 1) sound[i] = other[i] * 0.3f;
  const auto bytes = audio_file(format, sound, rate);
  return write_temporary({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, std::string(".") + format).string();
}

outcome transcribe(std::vector<std::string> more, std::string_view input = "") {
  std::vector<std::string> arguments{"transcribe", "-m", whisper(), "--threads", "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_troupe(arguments, input);
}

std::string run_logits(const std::string& input, std::vector<std::string> more) {
  const std::string output = temporary_path(".safetensors").string();
  std::vector<std::string> arguments{"logits", "-m", whisper(), "--input", input, "--output", output};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const outcome result = run_troupe(arguments);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return output;
}

std::string bytes_of_file(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

TEST_CASE("transcribe hears the same however the work is cut", "[conformance]") {
  if (!std::filesystem::exists(whisper())) TROUPE_SKIP("no " + whisper());
  const auto file = write_sound("flac", 22'050, 2.3);
  const std::vector<std::string> asked{file, "--language", "de", "--json", "--no-speech", "1"};
  const auto result = transcribe(asked);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto found = json_lines_of(result.out).at(0);
  CHECK(found.at("segments").size() >= 2);
  for (const auto& one : found.at("segments")) {
    CHECK(one.at("avg_logprob").get<double>() < 0);
    CHECK(one.at("no_speech_prob").get<double>() > 0);
  }
  CHECK(found.at("language") == "de");
  CHECK(found.at("duration").get<double>() == Approx(2.3).epsilon(1e-3));
  for (const char* option : {"--shards", "--chunk", "--parallel"}) {
    auto arguments = asked;
    arguments.insert(arguments.end(), {option, "1"});
    CHECK(transcribe(arguments).out == result.out);
  }
}

TEST_CASE("a language that is not named is one that the model knows, and beams and translations are heard to the end", "[conformance]") {
  if (!std::filesystem::exists(whisper())) TROUPE_SKIP("no " + whisper());
  const auto file = write_sound("ogg", 16'000, 1.4);
  const auto plain = json_lines_of(transcribe({file, "--json"}).out).at(0);
  CHECK((plain.at("language") == "en" || plain.at("language") == "de"));
  // What can be decoded of a damaged MP3 is heard, and nobody else writes into our messages.
  auto damaged = bytes_of_file(write_sound("mp3", 16'000, 2.0));
  for (size_t i = damaged.size() / 3; i < damaged.size(); i += 97) damaged[i] = char(i);
  const auto heard = transcribe({write_temporary(damaged, ".mp3").string(), "--json", "--quiet"});
  CHECK(heard.exit_code == 0);
  CHECK(heard.err == "");
  const auto named = json_lines_of(transcribe({file, "--json", "--language", plain.at("language").get<std::string>()}).out).at(0);
  CHECK(named.at("segments") == plain.at("segments")); // To detect it changes nothing.
  const auto beams = json_lines_of(transcribe({file, "--json", "--beams", "3", "--translate", "--prompt", "Lily said"}).out).at(0);
  CHECK(beams.at("duration").get<double>() == Approx(1.4).epsilon(0.01));
  CHECK(beams.at("segments") != plain.at("segments"));
  const auto drawn = [&](const char* seed) { return transcribe({file, "--json", "--temperature", "0.9", "--seed", seed}).out; };
  CHECK(drawn("1") == drawn("1"));
  CHECK(drawn("1") != drawn("2"));
}

TEST_CASE("texts, times and subtitles say the same as JSON", "[conformance]") {
  if (!std::filesystem::exists(whisper())) TROUPE_SKIP("no " + whisper());
  const auto file = write_sound("wav", 16'000, 1.2);
  const auto segments = json_lines_of(transcribe({file, "--json"}).out).at(0).at("segments");
  REQUIRE(!segments.empty());
  const auto plain = transcribe({file}).out, timed = transcribe({file, "--timestamps"}).out;
  const auto srt = transcribe({file, "--format", "srt"}).out, vtt = transcribe({file, "--format", "vtt"}).out;
  CHECK(size_t(std::ranges::count(plain, '\n')) == segments.size());
  const double begin = segments[0].at("start"), end = segments[0].at("end");
  CHECK(timed.starts_with(range_text(begin, end, time_form::brackets) + " "));
  CHECK(srt.starts_with("1\n" + range_text(begin, end, time_form::srt) + "\n"));
  CHECK(vtt.starts_with("WEBVTT\n\n" + range_text(begin, end, time_form::vtt) + "\n"));
  CHECK(cue_text("  a <b>\n& c", time_form::srt) == "a <b> & c");
  CHECK(cue_text(" a <b>\n& c", time_form::vtt) == "a &lt;b&gt; &amp; c");
  CHECK(range_text(3661.5, 3662, time_form::srt) == "01:01:01,500 --> 01:01:02,000");
  CHECK(range_text(61.5, 3662, time_form::brackets) == "[01:01.500 --> 01:01:02.000]");
  CHECK(range_text(0.02, 0.1, time_form::vtt) == "00:00:00.020 --> 00:00:00.100");
}

TEST_CASE("a sound that cannot be read fails alone, with one clear reason", "[conformance]") {
  if (!std::filesystem::exists(whisper())) TROUPE_SKIP("no " + whisper());
  const auto good = write_sound("wav", 16'000, 0.5), text = write_temporary("no sound", ".wav").string();
  const auto bytes = bytes_of_file(write_sound("flac", 16'000, 3.0));
  const auto cut = write_temporary(bytes.substr(0, bytes.size() / 2), ".flac").string();
  const auto result = transcribe({good, text, "/nowhere.mp3", cut, good, "--json"});
  CHECK(result.exit_code == 1);
  const auto lines = json_lines_of(result.out);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].at("segments") == lines[4].at("segments"));
  CHECK_THAT(lines[1].at("error").get<std::string>(), ContainsSubstring(text + ": is no sound that can be read"));
  CHECK_THAT(lines[2].at("error").get<std::string>(), ContainsSubstring("/nowhere.mp3"));
  CHECK_THAT(lines[3].at("error").get<std::string>(), ContainsSubstring(cut + ": "));
  // What can be decoded of a damaged MP3 is heard, and nobody else writes into our messages.
  auto damaged = bytes_of_file(write_sound("mp3", 16'000, 2.0));
  for (size_t i = damaged.size() / 3; i < damaged.size(); i += 97) damaged[i] = char(i);
  const auto heard = transcribe({write_temporary(damaged, ".mp3").string(), "--json", "--quiet"});
  CHECK(heard.exit_code == 0);
  CHECK(heard.err == "");
  const auto named = json_lines_of(transcribe({"--json"}, good + "\n" + good + "\n").out); // By lines of stdin.
  CHECK(named == std::vector<json>{lines[0], lines[0]});
}

TEST_CASE("what does not fit together is refused: options, languages, models, commands", "[conformance]") {
  if (!std::filesystem::exists(whisper())) TROUPE_SKIP("no " + whisper());
  const auto file = write_sound("wav", 16'000, 0.3);
  CHECK_THAT(transcribe({file, "--language", "xx"}).err, ContainsSubstring("knows no language \"xx\""));
  CHECK(transcribe({file, file, "--format", "srt"}).exit_code == 2);
  CHECK(transcribe({file, "--beams", "2", "--temperature", "1"}).exit_code == 2);
  const auto translated = run_troupe({"translate", "-m", whisper(), "text"});
  CHECK(translated.exit_code == 3);
  CHECK_THAT(translated.err, ContainsSubstring("this model listens: use `troupe transcribe`"));
  CHECK(run_troupe({"transcribe", "-m", (references() / "hf" / "bart").string(), file}).exit_code == 3);
  const auto facts = json::parse(run_troupe({"inspect", "-m", whisper(), "--json"}).out);
  CHECK(facts.at("command") == "transcribe");
  CHECK(facts.at("audio").at("rate") == 16'000);
  CHECK(facts.at("decoding").at("speech").at("languages") == json{"en", "de"});
}

TEST_CASE("logits of features are the recorded ones, with the same bytes however the work is cut, and by the reference", "[conformance]") {
  if (!std::filesystem::exists(whisper())) TROUPE_SKIP("no " + whisper());
  const safetensors_reader golden(references() / "hf" / "whisper" / "golden.safetensors");
  const auto input = temporary_path(".safetensors").string();
  const auto features = golden.floats("a.input_features");
  std::vector<float> ids;
  for (const int64_t id : golden.integers("a.decoder_input_ids")) ids.push_back(float(id));
  // Ids are integers: written as such by hand.
  {
    std::string header = R"({"decoder_input_ids":{"dtype":"I32","shape":[2,13],"data_offsets":[0,104]},)"
                         R"("input_features":{"dtype":"F32","shape":[2,80,100],"data_offsets":[104,64104]}})";
    while (header.size() % 8 != 0) header += ' ';
    std::ofstream file(input, std::ios::binary);
    const uint64_t length = header.size();
    file.write(reinterpret_cast<const char*>(&length), 8) << header;
    for (const float id : ids) {
      const auto one = int32_t(id);
      file.write(reinterpret_cast<const char*>(&one), 4);
    }
    file.write(reinterpret_cast<const char*>(features.data()), std::streamsize(features.size() * 4));
  }
  const auto first = run_logits(input, {"--threads", "2", "--hidden-states"});
  CHECK(bytes_of_file(run_logits(input, {"--threads", "1", "--shards", "3", "--chunk", "2", "--hidden-states"})) == bytes_of_file(first));
  CHECK(bytes_of_file(run_logits(input, {"--reference", "--hidden-states"})) == bytes_of_file(first));
  const auto found = safetensors_reader(first).floats("logits"), wanted = golden.floats("a.logits");
  REQUIRE(found.size() == wanted.size());
  double off = 0;
  for (size_t i = 0; i < found.size(); ++i) off = std::max(off, std::abs(double(found[i]) - wanted[i]));
  CHECK(off < 0.00044);
}

TEST_CASE("bench measures a model that listens, and chaos and simulate disturb it in vain") {
  const auto folder = write_tiny_encoder("WhisperForConditionalGeneration").string();
  const auto bench = run_troupe({"bench", "-m", folder, "--threads", "2", "--repetitions", "1", "--clients", "3", "--generate-tokens", "8", "--json"});
  INFO(bench.err);
  REQUIRE(bench.exit_code == 0);
  const auto plan = write_temporary(R"({"faults": [
    {"name": "the ear dies", "selector": {"path": "/replica/0/encoder/embedding"}, "trigger": {"nth_message": 1}, "effect": {"kill": {}}},
    {"name": "a head dies", "selector": {"path": "/replica/0/layer/1/cross_head/0"}, "trigger": {"nth_message": 2}, "effect": {"kill": {}}}]})",
                                    ".json");
  const auto chaos = run_troupe({"chaos", "-m", folder, "--plan", plan.string(), "--threads", "2", "--clients", "4", "--json"});
  INFO(chaos.err);
  REQUIRE(chaos.exit_code == 0);
  const json report = json::parse(chaos.out);
  for (const auto& one : report.at("requests")) CHECK(one.at("verdict") == "identical");
  CHECK(report.at("injections").size() == 2);
  CHECK(run_troupe({"simulate", "--kind", "audio", "--seeds", "1..20", "--quiet"}).exit_code == 0);
  CHECK(run_troupe({"simulate", "--kind", "audio", "--train"}).exit_code == 2);
}

TEST_CASE("a folder that is written of a model that listens hears the same", "[conformance]") {
  if (!std::filesystem::exists(whisper())) TROUPE_SKIP("no " + whisper());
  const auto file = write_sound("wav", 16'000, 0.7), copy = temporary_path().string();
  const auto written = run_troupe({"export", "-m", whisper(), "--folder", copy, "--quiet"});
  INFO(written.err);
  REQUIRE(written.exit_code == 0);
  CHECK(run_troupe({"transcribe", "-m", copy, file, "--json"}).out == transcribe({file, "--json"}).out);
  CHECK(run_troupe({"export", "-m", whisper(), "--gguf", copy + ".gguf"}).exit_code == 3);
}
