// Goal: pairs, labelled texts and texts with masks become micro-batches that say what they should, a function of data, options and step.
#include "data_fixtures.hpp"
#include "model/error.hpp"
#include "model/training/data/example_batches.hpp"
#include "model/training/data/mask_tokens.hpp"
#include "support/catch.hpp"
#include <map>
#include <numeric>
#include <set>

using namespace troupe;
using namespace troupe::testing;

namespace {

using numbers = std::vector<uint32_t>;

numbers first_numbers(size_t count) {
  numbers all(count);
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

std::shared_ptr<const token_file> side_of(const data_source_options& source, pair_side side) {
  token_options options;
  options.side = side;
  return prepare_tokens(temporary_path(), source, *test_tokenizer(), options).file;
}

/// The sequences of micro-batches, one after the other: of the decoder, or of the encoder.
std::vector<numbers> sequences_of(const std::vector<micro_batch>& batch, bool of_source) {
  std::vector<numbers> all;
  for (const micro_batch& one : batch) {
    auto next = (of_source ? one.source : one.tokens).begin();
    for (const uint32_t length : of_source ? one.source_lengths : one.lengths) {
      all.emplace_back(next, next + length);
      next += length;
    }
  }
  return all;
}

} // namespace

TEST_CASE("a pair's source goes to the encoder; the decoder is to give its target, and gets it one token late") {
  const auto source = source_of("ab\tc\ndefg\thij\nk\tlmnopq\nrs\ttu\n", source_kind::pairs);
  example_data data;
  data.text = side_of(source, pair_side::source);
  data.targets = side_of(source, pair_side::target);
  data.start_token = 1;
  batch_options options;
  options.sequence_length = 6;
  options.batch_tokens = 24;
  const auto shared = std::make_shared<const example_data>(data);
  example_batches batches(shared, first_numbers(4), options), again(shared, first_numbers(4), options);
  std::multiset<std::pair<numbers, numbers>> seen, wanted;
  for (uint32_t i = 0; i < 4; ++i) {
    numbers text = document_tokens(*data.text, i), target = document_tokens(*data.targets, i);
    text.resize(std::min<size_t>(text.size(), 6));
    target.resize(std::min<size_t>(target.size(), 6));
    wanted.emplace(text, target);
  }
  for (uint64_t step = 0; step < batches.steps_per_epoch(); ++step) {
    const auto batch = batches.at(step, 12);
    again.at(step + again.steps_per_epoch(), 12); // Another epoch in between changes nothing.
    CHECK(batch == again.at(step, 12));
    for (size_t i = 0; i + 1 < batch.size(); ++i) // None could have taken one example more.
      CHECK(batch[i].rows() + batch[i].source_rows() + batch[i + 1].lengths[0] + batch[i + 1].source_lengths[0] > 12);
    const auto sources = sequences_of(batch, true), inputs = sequences_of(batch, false);
    REQUIRE(sources.size() == inputs.size());
    numbers targets;
    for (const micro_batch& one : batch) {
      CHECK(one.rows() + one.source_rows() <= 12);
      CHECK(one.targets.size() == one.rows());
      CHECK(one.lengths.size() == one.source_lengths.size());
      targets.insert(targets.end(), one.targets.begin(), one.targets.end());
    }
    auto next = targets.begin();
    for (size_t i = 0; i < inputs.size(); ++i) {
      const numbers target(next, next + ptrdiff_t(inputs[i].size()));
      next += ptrdiff_t(inputs[i].size());
      CHECK(inputs[i].front() == 1);
      CHECK(numbers(inputs[i].begin() + 1, inputs[i].end()) == numbers(target.begin(), target.end() - 1));
      seen.emplace(sources[i], target);
    }
  }
  CHECK(seen == wanted);
}

TEST_CASE("a labelled text has one target, its label") {
  const auto options_of_source = source_of("good morning\tyes\nbad\tno\nso so\tmaybe\nwell\tyes\n", source_kind::labels);
  const data_source source(options_of_source);
  REQUIRE(source.labels() == std::vector<std::string>{"maybe", "no", "yes"});
  example_data data;
  data.text = side_of(options_of_source, pair_side::source);
  for (uint64_t i = 0; i < source.documents(); ++i) data.labels.push_back(source.label(i));
  batch_options options;
  options.sequence_length = 8;
  options.batch_tokens = 16;
  example_batches batches(std::make_shared<const example_data>(data), first_numbers(4), options);
  std::multiset<std::pair<numbers, int32_t>> seen, wanted;
  for (uint32_t i = 0; i < 4; ++i) {
    numbers text = document_tokens(*data.text, i);
    text.resize(std::min<size_t>(text.size(), 8));
    wanted.emplace(text, int32_t(data.labels[i]));
  }
  for (uint64_t step = 0; step < batches.steps_per_epoch(); ++step)
    for (const micro_batch& one : batches.at(step, 8)) {
      REQUIRE(one.targets.size() == one.lengths.size());
      CHECK((one.rows() <= 8 || one.lengths.size() == 1));
      const auto texts = sequences_of({one}, false);
      for (size_t i = 0; i < texts.size(); ++i) seen.emplace(texts[i], one.targets[i]);
    }
  CHECK(seen == wanted);
}

TEST_CASE("masks fall on the share of tokens they are told, as BERT has it, wherever the batch is cut") {
  masking_options options;
  options.share = 0.15;
  options.seed = 3;
  options.mask_token = 4;
  options.is_special.assign(100, false);
  for (const uint32_t special : {0u, 1u, 4u}) options.is_special[special] = true;
  micro_batch whole;
  raw_bits bits{5};
  for (int i = 0; i < 40000; ++i) whole.tokens.push_back(uint32_t(bits.below(100)));
  whole.lengths = {40000};
  const numbers before = whole.tokens;
  std::vector<micro_batch> pieces(2);
  pieces[0].tokens.assign(before.begin(), before.begin() + 777);
  pieces[1].tokens.assign(before.begin() + 777, before.end());
  mask_tokens({&whole, 1}, options, 9);
  mask_tokens(pieces, options, 9);
  double chosen = 0, masked = 0, kept = 0, ordinary = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    const micro_batch& piece = pieces[i < 777 ? 0 : 1];
    CHECK(piece.tokens[i < 777 ? i : i - 777] == whole.tokens[i]);
    CHECK(piece.targets[i < 777 ? i : i - 777] == whole.targets[i]);
    ordinary += !options.is_special[before[i]];
    if (whole.targets[i] < 0) {
      CHECK(whole.tokens[i] == before[i]);
      continue;
    }
    CHECK(whole.targets[i] == int32_t(before[i]));
    CHECK(!options.is_special[before[i]]);
    ++chosen;
    masked += whole.tokens[i] == 4;
    kept += whole.tokens[i] == before[i];
  }
  CHECK(chosen / ordinary == Approx(0.15).margin(0.01));
  CHECK(masked / chosen == Approx(0.801).margin(0.02));
  CHECK(kept / chosen == Approx(0.101).margin(0.02));
  micro_batch other;
  other.tokens = before;
  mask_tokens({&other, 1}, options, 10);
  CHECK(other.targets != whole.targets);
}

TEST_CASE("without a document there is no example") {
  example_data data;
  data.text = tokens_of_lengths({3, 4});
  const auto shared = std::make_shared<const example_data>(data);
  CHECK_THROWS_AS(example_batches(shared, {}, {}), input_error);
}
