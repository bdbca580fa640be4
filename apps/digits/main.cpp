// The program `digits`: images of digits as people write them, in a folder for each digit.
#include "apps/digits/digit_image.hpp"
#include "apps/digits/image_folder.hpp"
#include "apps/generators/progress.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

namespace {

constexpr const char* footer = R"(
Examples:
  digits --count 60000 --seed 1 --output train
  digits --count 10000 --seed 2 --output held_out
  digits --count 20 --size 280 --output large

An image is FOLDER/<digit>/<number>.png, in greys from 0 (paper) to 255 (ink). The digit of image number i is i modulo 10. Image i of a
seed is the same on every machine, and images of different seeds have nothing in common but how they are drawn:
apps/digit_reader/README.md. The folder must be new or empty, and appears when it is whole.

Exit codes: 0 done, 1 the output could not be written, 2 wrong usage, 130 interrupted)";

struct options {
  uint64_t count = 1, seed = 1;
  uint32_t size = 28;
  std::string output;
};

int write_images(const options& asked) {
  troupe::digits::image_folder folder{asked.output};
  troupe::generators::progress bar("digits", asked.count, false);
  for (uint64_t i = 0; i < asked.count; ++i) {
    if (troupe::generators::is_interrupted()) return 130;
    const auto made = troupe::digits::make_digit_image(asked.seed, i, asked.size);
    folder.write(made.digit, i, troupe::digits::grey_png(made.pixels, asked.size));
    bar.advance(i + 1);
  }
  folder.commit();
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  options asked;
  CLI::App app{"Writes images of digits as people write them, drawn by a seeded generator.", "digits"};
  app.add_option("--output", asked.output, "The folder to make")->type_name("FOLDER")->required();
  app.add_option("--count", asked.count, "How many images")
    ->type_name("N")
    ->check(CLI::Range(uint64_t(1), uint64_t(1) << 32))
    ->capture_default_str();
  app.add_option("--seed", asked.seed, "Another seed, other images")->type_name("N")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--size", asked.size, "Width and height in pixels")->type_name("N")->check(CLI::Range(8, 1024))->capture_default_str();
  app.footer(footer);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) { // --help
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "digits: %s\nSee: digits --help\n", error.what());
    return 2;
  }
  try {
    troupe::generators::watch_interrupts();
    return write_images(asked);
  } catch (const troupe::input_error& error) {
    std::fprintf(stderr, "digits: %s\n", error.what());
    return 1;
  }
}
