#include "model/sampling/sampler.hpp"
#include "model/error.hpp"
#include "model/kernels/exponential.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/sampling/philox.hpp"
#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

namespace troupe {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

struct candidate {
  float logit;
  uint32_t id;
  double weight = 0; // In proportion to the probability; the likeliest weighs 1. Set once top_k is done.
};

// The one order candidates are ever sorted in; no two are equal, so every sort gives the same.
bool likelier(const candidate& a, const candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

bool penalises(const sampling_options& options) {
  return options.repetition_penalty != 1.0f || options.presence_penalty != 0.0f
         || options.frequency_penalty != 0.0f;
}

void add_bias(const sampling_options& options, std::span<float> logits) {
  for (const auto& [id, bias] : options.logit_bias) {
    TROUPE_ASSERT(id < logits.size());
    logits[id] += bias;
  }
}

void penalise(const sampling_options& options, std::span<float> logits, std::span<const uint32_t> log) {
  const size_t window =
      options.penalty_window == 0 ? log.size() : std::min<size_t>(options.penalty_window, log.size());
  std::vector<uint32_t> seen(log.end() - static_cast<ptrdiff_t>(window), log.end());
  std::sort(seen.begin(), seen.end());
  for (size_t begin = 0, end = 0; begin < seen.size(); begin = end) {
    while (end < seen.size() && seen[end] == seen[begin])
      ++end;
    TROUPE_ASSERT(seen[begin] < logits.size());
    float& logit = logits[seen[begin]];
    logit = logit > 0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
    logit -= static_cast<float>(end - begin) * options.frequency_penalty + options.presence_penalty;
    logit = std::min(logit, std::numeric_limits<float>::max());
  }
}

/// Numbers, or -infinity for tokens that may not be chosen.
bool are_scores(std::span<const float> logits) {
  return is_finite(logits) || std::ranges::all_of(logits, [](float score) { return score < infinity; });
}

/// The lowest id of those that are equally likely.
uint32_t likeliest(std::span<const float> logits) {
  constexpr size_t run = 512;
  size_t first = 0;
  float best = -infinity;
  for (size_t begin = 0; begin < logits.size(); begin += run)
    if (const float most = largest(logits.subspan(begin, std::min(run, logits.size() - begin))); most > best) {
      best = most;
      first = begin;
    }
  return static_cast<uint32_t>(std::find(logits.begin() + ptrdiff_t(first), logits.end(), best) - logits.begin());
}

/// The k likeliest tokens, sorted. One pass; almost every logit meets only the comparison with the k-th best
/// so far.
std::vector<candidate> top_few(std::span<const float> logits, size_t k) {
  std::vector<candidate> heap; // The least likely on top.
  heap.reserve(k + 1);
  for (uint32_t id = 0; id < logits.size(); ++id) {
    if (heap.size() == k && logits[id] <= heap.front().logit)
      continue; // An equal one has a higher id than all before it.
    if (logits[id] == -infinity)
      continue;
    heap.push_back({logits[id], id});
    std::push_heap(heap.begin(), heap.end(), likelier);
    if (heap.size() > k) {
      std::pop_heap(heap.begin(), heap.end(), likelier);
      heap.pop_back();
    }
  }
  std::sort(heap.begin(), heap.end(), likelier);
  return heap;
}

std::vector<candidate> all_of(std::span<const float> logits) {
  std::vector<candidate> all;
  all.reserve(logits.size());
  for (uint32_t id = 0; id < logits.size(); ++id)
    if (logits[id] != -infinity)
      all.push_back({logits[id], id});
  return all;
}

/// The candidates top_k leaves: sorted when it leaves out any, by id otherwise.
std::vector<candidate> keep_top_k(std::span<const float> logits, uint32_t k) {
  constexpr uint32_t few = 1024; // From here on a selection costs less than a heap.
  if (k > 0 && k <= few)
    return top_few(logits, k);
  auto all = all_of(logits);
  if (k > 0 && k < all.size()) {
    std::nth_element(all.begin(), all.begin() + k, all.end(), likelier);
    all.resize(k);
    std::sort(all.begin(), all.end(), likelier);
  }
  return all;
}

void weigh(std::vector<candidate>& candidates, float temperature) {
  float best = -infinity;
  for (const auto& c : candidates)
    best = std::max(best, c.logit);
  for (auto& c : candidates)
    c.weight = exponential((double(c.logit) - best) / temperature);
}

/// Shortens to the smallest set of the likeliest whose weights reach `enough`, sorting no further than
/// needed.
void keep_weight(std::vector<candidate>& candidates, double enough) {
  double sum = 0;
  size_t kept = 0, sorted = 0;
  while (kept < candidates.size()) {
    if (kept == sorted) {
      const size_t more = std::min(candidates.size(), std::max<size_t>(256, 4 * sorted));
      const auto begin = candidates.begin() + static_cast<ptrdiff_t>(sorted);
      const auto end = candidates.begin() + static_cast<ptrdiff_t>(more);
      if (more < candidates.size())
        std::nth_element(begin, end, candidates.end(), likelier);
      std::sort(begin, end, likelier);
      sorted = more;
    }
    sum += candidates[kept++].weight;
    if (sum >= enough)
      break;
  }
  candidates.resize(kept);
}

/// top_p, then min_p. Both keep the likeliest, as many as each allows, so the order does not matter; min_p
/// goes first because it leaves less to sort.
void keep_likely(std::vector<candidate>& candidates, float top_p, float min_p) {
  double total = 0;
  for (const auto& c : candidates)
    total += c.weight;
  if (min_p > 0.0f)
    std::erase_if(candidates, [&](const candidate& c) { return c.weight < min_p; });
  if (top_p < 1.0f)
    keep_weight(candidates, top_p * total);
}

uint32_t draw(const std::vector<candidate>& candidates, double uniform) {
  double total = 0;
  for (const auto& c : candidates)
    total += c.weight;
  double sum = 0;
  uint32_t last = candidates.front().id;
  for (const auto& c : candidates) {
    sum += c.weight;
    if (sum > uniform * total)
      return c.id;
    if (c.weight > 0)
      last = c.id;
  }
  return last; // uniform < 1, but the product may round up to the total.
}

/// The rest of sample() once biases and penalties are in.
uint32_t choose(const sampling_options& options, std::span<const float> logits, uint64_t position) {
  if (options.temperature == 0.0f)
    return likeliest(logits);
  auto candidates = keep_top_k(logits, options.top_k);
  TROUPE_ASSERT(!candidates.empty());
  weigh(candidates, options.temperature);
  keep_likely(candidates, options.top_p, options.min_p);
  return draw(candidates, counter_uniform(options.seed, position));
}

std::string invalid_bias(const sampling_options& options, uint32_t vocabulary) {
  std::unordered_set<uint32_t> forbidden;
  for (const auto& [id, bias] : options.logit_bias) {
    if (id >= vocabulary)
      return "logit_bias names token " + std::to_string(id) + ", but the vocabulary ends before "
             + std::to_string(vocabulary);
    if (bias == -infinity)
      forbidden.insert(id);
    else if (!(std::fabs(bias) <= 1e6f))
      return "logit_bias of token " + std::to_string(id) + " must be between -1e6 and 1e6, or -infinity";
  }
  if (vocabulary > 0 && forbidden.size() == vocabulary)
    return "logit_bias forbids every token of the vocabulary";
  return {};
}

} // namespace

// Each comparison is written so that it is also false for NaN.
std::string invalid(const sampling_options& options, uint32_t vocabulary) {
  if (!(options.temperature >= 0.0f && options.temperature <= 1e6f))
    return "temperature must be at least 0 (greedy), and at most 1e6";
  if (!(options.top_p > 0.0f && options.top_p <= 1.0f))
    return "top_p must be greater than 0, and at most 1 (all tokens)";
  if (!(options.min_p >= 0.0f && options.min_p <= 1.0f))
    return "min_p must be between 0 (all tokens) and 1";
  if (!(options.repetition_penalty >= 0.01f && options.repetition_penalty <= 100.0f))
    return "repetition_penalty must be between 0.01 and 100; 1 changes nothing";
  if (!(std::fabs(options.presence_penalty) <= 100.0f))
    return "presence_penalty must be between -100 and 100; 0 changes nothing";
  if (!(std::fabs(options.frequency_penalty) <= 100.0f))
    return "frequency_penalty must be between -100 and 100; 0 changes nothing";
  return invalid_bias(options, vocabulary);
}

uint32_t sample(const sampling_options& options, std::span<const float> logits, std::span<const uint32_t> log,
                uint64_t position) {
  TROUPE_ASSERT(!logits.empty());
  TROUPE_ASSERT(are_scores(logits));
  const bool penalised = penalises(options) && !log.empty();
  if (options.logit_bias.empty() && !penalised)
    return choose(options, logits, position);
  std::vector<float> changed(logits.begin(), logits.end());
  add_bias(options, changed);
  if (penalised)
    penalise(options, changed, log);
  return choose(options, changed, position);
}

double counter_uniform(uint64_t seed, uint64_t position) {
  const auto low = [](uint64_t value) { return static_cast<uint32_t>(value); };
  const auto bits = philox4x32_10({low(position), low(position >> 32), 0, 0}, {low(seed), low(seed >> 32)});
  return static_cast<double>((uint64_t(bits[1]) << 32 | bits[0]) >> 11) * 0x1p-53;
}

} // namespace troupe
