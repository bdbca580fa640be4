#include "model/metrics/chrf.hpp"
#include "model/error.hpp"
#include "model/metrics/n_grams.hpp"
#include <cctype>
#include <utility>

namespace troupe {
namespace {

bool is_mark(std::string_view character) {
  const char c = character.front();
  return character.size() == 1 && c > ' ' && c < 0x7F && !std::isalnum(static_cast<unsigned char>(c));
}

/// Words, marks taken off them.
std::string words_and_marks(std::string_view text) {
  std::vector<std::string_view> parts;
  for (const std::string_view word : words_of(text)) {
    const auto characters = characters_of(word);
    const std::string_view first = characters.front(), last = characters.back();
    if (characters.size() > 1 && is_mark(last)) {
      parts.push_back(word.substr(0, word.size() - last.size()));
      parts.push_back(last);
    } else if (characters.size() > 1 && is_mark(first)) {
      parts.push_back(first);
      parts.push_back(word.substr(first.size()));
    } else {
      parts.push_back(word);
    }
  }
  return joined(parts);
}

/// The n-grams of a text, of all orders.
class all_n_grams {
public:
  all_n_grams(std::string_view text, const chrf_options& options) {
    for (const std::string_view word : words_of(text)) without_space_ += word;
    const auto characters = characters_of(without_space_);
    for (size_t n = 1; n <= options.character_order; ++n) orders_.push_back(n_grams(characters, n));
    words_ = words_and_marks(text);
    const auto words = words_of(words_);
    for (size_t n = 1; n <= options.word_order; ++n) orders_.push_back(n_grams(words, n));
  }
  all_n_grams(const all_n_grams&) = delete; // The orders are views of the texts.
  all_n_grams& operator=(const all_n_grams&) = delete;

  const std::vector<std::string_view>& operator[](size_t order) const { return orders_[order]; }

private:
  std::string without_space_, words_;
  std::vector<std::vector<std::string_view>> orders_;
};

} // namespace

chrf::chrf(chrf_options options) : options_(options), sums_(options.character_order + options.word_order) {
  TROUPE_ASSERT(!sums_.empty());
}

void chrf::add(std::string_view hypothesis, std::span<const std::string> references) {
  TROUPE_ASSERT(!references.empty());
  const all_n_grams made(hypothesis, options_);
  std::vector<counts> best;
  for (const std::string& reference : references) {
    const all_n_grams written(reference, options_);
    std::vector<counts> found(sums_.size());
    for (size_t i = 0; i < found.size(); ++i) {
      found[i].hypothesis = written[i].empty() ? 0 : made[i].size();
      found[i].reference = written[i].size();
      found[i].common = common_n_grams(made[i], written[i]);
    }
    if (best.empty() || score(found) > score(best)) best = std::move(found);
  }
  for (size_t i = 0; i < sums_.size(); ++i) {
    sums_[i].hypothesis += best[i].hypothesis;
    sums_[i].reference += best[i].reference;
    sums_[i].common += best[i].common;
  }
}

double chrf::score(std::span<const counts> orders) const {
  double precision = 0, recall = 0;
  size_t used = 0;
  for (const counts& order : orders) {
    if (order.hypothesis == 0 || order.reference == 0) continue;
    precision += double(order.common) / double(order.hypothesis);
    recall += double(order.common) / double(order.reference);
    ++used;
  }
  if (precision + recall == 0) return 0;
  precision /= double(used);
  recall /= double(used);
  const double beta2 = options_.beta * options_.beta;
  return 100 * (1 + beta2) * precision * recall / (beta2 * precision + recall);
}

} // namespace troupe
