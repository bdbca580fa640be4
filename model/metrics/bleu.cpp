#include "model/metrics/bleu.hpp"
#include "model/error.hpp"
#include "model/metrics/n_grams.hpp"
#include "model/replace_all.hpp"
#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <utility>

namespace troupe {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_point(char c) { return c == '.' || c == ','; }
bool always_stands_alone(char c) {
  return c > ' ' && c <= '~' && !std::isalnum(static_cast<unsigned char>(c)) && std::string_view("'-.,").find(c) == std::string_view::npos;
}

/// Writes each pair of neighbours that `fits` by `write`, and all else as it is. Pairs do not overlap: they are looked for from the
/// left, as mteval's patterns do.
template <class Fits, class Write>
std::string with_pairs(std::string_view text, Fits fits, Write write) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (at + 1 < text.size() && fits(text[at], text[at + 1])) {
      write(out, text[at], text[at + 1]);
      at += 2;
    } else {
      out += text[at++];
    }
  }
  return out;
}

} // namespace

std::string words_13a(std::string_view text) {
  std::string line{text};
  replace_all(line, "<skipped>", "");
  replace_all(line, "-\n", "");
  replace_all(line, "\n", " ");
  replace_all(line, "&quot;", "\"");
  replace_all(line, "&amp;", "&");
  replace_all(line, "&lt;", "<");
  replace_all(line, "&gt;", ">");
  std::string apart = " ";
  for (const char c : line) {
    if (always_stands_alone(c)) {
      apart += {' ', c, ' '};
    } else {
      apart += c;
    }
  }
  apart += ' ';
  const auto cut_before = [](std::string& out, char a, char b) { out += {a, ' ', b, ' '}; };
  apart = with_pairs(apart, [](char a, char b) { return !is_digit(a) && is_point(b); }, cut_before);
  apart = with_pairs(apart, [](char a, char b) { return is_point(a) && !is_digit(b); },
    [](std::string& out, char a, char b) { out += {' ', a, ' ', b}; });
  apart = with_pairs(apart, [](char a, char b) { return is_digit(a) && b == '-'; }, cut_before);
  return joined(words_of(apart));
}

void bleu::add(std::string_view hypothesis, std::span<const std::string> references) {
  TROUPE_ASSERT(!references.empty());
  const std::string text = words_13a(hypothesis);
  const auto words = words_of(text);
  std::array<std::vector<std::string_view>, 4> in_any_reference; // With the largest count of each.
  std::vector<std::string> texts;
  texts.reserve(references.size()); // The n-grams are views of them.
  uint64_t closest = 0;
  const auto distance = [&](uint64_t length) { return length > words.size() ? length - words.size() : words.size() - length; };
  for (const std::string& reference : references) {
    texts.push_back(words_13a(reference));
    const auto reference_words = words_of(texts.back());
    const uint64_t length = reference_words.size();
    if (texts.size() == 1 || std::pair(distance(length), length) < std::pair(distance(closest), closest)) closest = length;
    for (size_t n = 1; n <= 4; ++n) {
      const auto found = n_grams(reference_words, n);
      std::vector<std::string_view> both;
      std::set_union(in_any_reference[n - 1].begin(), in_any_reference[n - 1].end(), found.begin(), found.end(), std::back_inserter(both));
      in_any_reference[n - 1] = std::move(both);
    }
  }
  for (size_t n = 1; n <= 4; ++n) {
    const auto found = n_grams(words, n);
    matches_[n - 1] += common_n_grams(found, in_any_reference[n - 1]);
    totals_[n - 1] += found.size();
  }
  length_ += words.size();
  reference_length_ += closest;
}

bleu_score bleu::result() const {
  bleu_score result;
  result.matches = matches_;
  result.totals = totals_;
  result.length = length_;
  result.reference_length = reference_length_;
  if (length_ >= reference_length_) {
    result.brevity_penalty = 1;
  } else if (length_ > 0) {
    result.brevity_penalty = std::exp(1 - double(reference_length_) / double(length_));
  }
  if (std::all_of(matches_.begin(), matches_.end(), [](uint64_t count) { return count == 0; })) return result;
  double logarithms = 0, smoothing = 1;
  for (size_t i = 0; i < 4; ++i) {
    if (totals_[i] == 0) return result; // No run of so many words: the score stays 0.
    if (matches_[i] == 0) smoothing *= 2;
    const double matches = matches_[i] == 0 ? 1 / smoothing : double(matches_[i]);
    result.precisions[i] = 100 * matches / double(totals_[i]);
    logarithms += std::log(result.precisions[i]);
  }
  result.score = result.brevity_penalty * std::exp(logarithms / 4);
  return result;
}

} // namespace troupe
