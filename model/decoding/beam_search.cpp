#include "model/decoding/beam_search.hpp"
#include "model/error.hpp"
#include "model/kernels/backward.hpp"
#include "model/kernels/exponential.hpp"
#include <algorithm>
#include <cmath>
#include <limits>

namespace troupe {
namespace {

/// x^y for x >= 1; the same bits on every machine where y is 0, 1 or 2, as it mostly is.
double power(double x, double y) {
  if (y == 0) return 1;
  if (y == 1) return x;
  if (y == 2) return x * x;
  const double exponent = y * logarithm(x);
  return exponent <= 0 ? exponential(exponent) : 1 / exponential(-exponent);
}

} // namespace

std::string invalid(const beam_options& options) {
  constexpr uint32_t beams_max = 1024;
  if (options.beams == 0 || options.beams > beams_max)
    return std::to_string(options.beams) + " beams, wanted 1 to " + std::to_string(beams_max);
  if (options.best == 0 || options.best > options.beams)
    return std::to_string(options.best) + " results of " + std::to_string(options.beams) + " beams are wanted: at least 1, and not more";
  if (!std::isfinite(options.length_penalty)) return "the length penalty is no finite number";
  return {};
}

beam_search::beam_search(beam_options options, token_rules rules, std::vector<uint32_t> prompt, uint32_t tokens_max)
    : options_(options), rules_(std::move(rules)), prompt_size_(uint32_t(prompt.size())), tokens_max_(tokens_max) {
  TROUPE_ASSERT(prompt_size_ > 0 && tokens_max_ > 0 && options_.beams > 0);
  live_.push_back({std::move(prompt), 0, 0});
}

double beam_search::score(double sum, uint32_t generated) const { return sum / power(generated, double(options_.length_penalty)); }

std::vector<beam_search::candidate>
beam_search::likeliest_continuations(const std::vector<std::span<const float>>& logits) const {
  // As many, that enough are left when the likeliest of each branch are end tokens.
  const size_t wanted = size_t(std::max<uint64_t>(2, 1 + rules_.end_tokens.size())) * options_.beams;
  const uint32_t generated = uint32_t(live_.front().log.size()) - prompt_size_;
  const auto is_better = [](const candidate& a, const candidate& b) {
    if (a.sum != b.sum) return a.sum > b.sum;
    return a.parent != b.parent ? a.parent < b.parent : a.token < b.token;
  };
  std::vector<candidate> heap; // The worst first, of at most `wanted`.
  std::vector<float> scores;
  for (uint32_t i = 0; i < live_.size(); ++i) {
    const float log_sum = sum_logits(logits[i]).log_sum();
    scores.assign(logits[i].begin(), logits[i].end());
    for (float& one : scores) one -= log_sum;
    rules_.apply(scores, live_[i].log, generated, tokens_max_);
    for (uint32_t token = 0; token < scores.size(); ++token) {
      const candidate one{live_[i].sum + double(scores[token]), i, token};
      if (scores[token] == -std::numeric_limits<float>::infinity() || (heap.size() == wanted && !is_better(one, heap.front()))) continue;
      if (heap.size() == wanted) {
        std::pop_heap(heap.begin(), heap.end(), is_better);
        heap.pop_back();
      }
      heap.push_back(one);
      std::push_heap(heap.begin(), heap.end(), is_better);
    }
  }
  std::sort_heap(heap.begin(), heap.end(), is_better);
  return heap;
}

void beam_search::finish(const candidate& ended, uint32_t generated) {
  const auto& log = live_[ended.parent].log;
  finished_branch one{{log.begin() + prompt_size_, log.end()}, score(ended.sum, generated)};
  one.tokens.push_back(ended.token);
  const auto after = std::find_if(finished_.begin(), finished_.end(), [&](const auto& other) { return other.score < one.score; });
  finished_.insert(after, std::move(one));
  if (finished_.size() > options_.beams) finished_.pop_back();
}

/// Whether a live branch may still come to be among the finished ones.
bool beam_search::can_improve(uint32_t generated) const {
  if (finished_.size() < options_.beams) return true;
  if (options_.stopping == early_stopping::yes) return false;
  const bool hopes = options_.stopping == early_stopping::never && options_.length_penalty > 0;
  return score(live_.front().sum, hopes ? tokens_max_ : generated) > finished_.back().score;
}

void beam_search::advance(const std::vector<std::span<const float>>& logits) {
  TROUPE_ASSERT(!done_ && logits.size() == live_.size());
  const uint32_t generated = uint32_t(live_.front().log.size()) - prompt_size_ + 1;
  const bool is_last = generated == tokens_max_;
  const auto all = likeliest_continuations(logits);
  std::vector<branch> next;
  for (size_t i = 0; i < all.size(); ++i) {
    if (is_last || rules_.ends(all[i].token)) {
      if (i < options_.beams) finish(all[i], generated);
    } else if (next.size() < options_.beams) {
      next.push_back({live_[all[i].parent].log, all[i].sum, all[i].parent});
      next.back().log.push_back(all[i].token);
    }
  }
  live_ = std::move(next);
  done_ = live_.empty() || !can_improve(generated);
}

std::vector<hypothesis> beam_search::best() const {
  std::vector<hypothesis> result;
  for (const auto& one : finished_)
    if (result.size() < options_.best) result.push_back({one.tokens, float(one.score)});
  return result;
}

} // namespace troupe
