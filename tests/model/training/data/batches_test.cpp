// Goal: every example comes exactly once an epoch, for any lengths, options and seeds, wherever a run is resumed; a batch depends on
// its step alone.
#include "data_fixtures.hpp"
#include "model/error.hpp"
#include "model/training/data/batches.hpp"
#include "model/training/data/split.hpp"
#include "support/catch.hpp"
#include <map>
#include <numeric>

using namespace troupe;
using namespace troupe::testing;

namespace {

using numbers = std::vector<uint32_t>;

numbers all_documents(const token_file& file) {
  numbers all(file.documents());
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

numbers random_lengths(rng& random, size_t count, uint32_t most) {
  numbers lengths(count);
  for (auto& length : lengths) length = 3 + static_cast<uint32_t>(random.below(most));
  return lengths;
}

/// What holds for every batch.
void check_shape(const batch& some, const batch_options& options) {
  REQUIRE(some.rows > 0);
  REQUIRE(some.columns > 0);
  REQUIRE(some.columns <= options.sequence_length);
  REQUIRE(uint64_t(some.rows) * some.columns <= options.batch_tokens);
  REQUIRE(some.tokens.size() == uint64_t(some.rows) * some.columns);
  REQUIRE(some.targets.size() == some.tokens.size());
  REQUIRE(some.row_lengths.size() == some.rows);
  for (uint32_t row = 0; row < some.rows; ++row) {
    REQUIRE(some.row_lengths[row] >= 1);
    REQUIRE(some.row_lengths[row] <= some.columns);
    for (uint32_t column = 0; column < some.columns; ++column) {
      const auto at = uint64_t(row) * some.columns + column;
      const bool inside = column < some.row_lengths[row];
      REQUIRE((some.targets[at] == batch::ignored) == !inside);
      if (!inside) REQUIRE(some.tokens[at] == options.padding);
      if (column + 1 < some.row_lengths[row]) REQUIRE(some.targets[at] == static_cast<int32_t>(some.tokens[at + 1])); // Shifted by one.
    }
  }
}

/// A row as the example it is: inputs and the last target.
numbers example(const batch& some, uint32_t row) {
  const auto begin = some.tokens.begin() + static_cast<ptrdiff_t>(uint64_t(row) * some.columns);
  numbers tokens(begin, begin + some.row_lengths[row]);
  tokens.push_back(static_cast<uint32_t>(some.targets[uint64_t(row) * some.columns + some.row_lengths[row] - 1]));
  return tokens;
}

std::multiset<numbers> examples_of_epoch(batches& plan, uint64_t epoch, const batch_options& options) {
  std::multiset<numbers> examples;
  for (uint64_t i = 0; i < plan.steps_per_epoch(); ++i) {
    const auto some = plan.at(epoch * plan.steps_per_epoch() + i);
    check_shape(some, options);
    REQUIRE(some.epoch == epoch);
    REQUIRE(some.step == epoch * plan.steps_per_epoch() + i);
    for (uint32_t row = 0; row < some.rows; ++row) examples.insert(example(some, row));
  }
  return examples;
}

std::map<uint32_t, uint64_t> histogram(const numbers& tokens) {
  std::map<uint32_t, uint64_t> counts;
  for (const uint32_t token : tokens) ++counts[token];
  return counts;
}

/// Joins the examples of an unshuffled packed epoch: the stream again.
numbers stream_of(batches& plan) {
  numbers stream;
  for (uint64_t step = 0; step < plan.steps_per_epoch(); ++step) {
    const auto some = plan.at(step);
    for (uint32_t row = 0; row < some.rows; ++row) {
      const auto tokens = example(some, row);
      if (stream.empty()) stream.push_back(tokens.front());
      REQUIRE(stream.back() == tokens.front()); // The seam is a target, then an input.
      stream.insert(stream.end(), tokens.begin() + 1, tokens.end());
    }
  }
  return stream;
}

} // namespace

TEST_CASE("packed, unshuffled: the examples are the documents end to end, each token once a target but the first") {
  rng random(1);
  for (int round = 0; round < 30; ++round) {
    const auto file = tokens_of_lengths(random_lengths(random, 1 + random.below(20), 30));
    const uint32_t length = 1 + static_cast<uint32_t>(random.below(40));
    const batch_options options{.sequence_length = length, .batch_tokens = length * (1 + random.below(5)), .shuffle = false};
    batches plan(file, all_documents(*file), options);
    numbers wanted;
    for (uint64_t document = 0; document < file->documents(); ++document) {
      const auto tokens = document_tokens(*file, document);
      wanted.insert(wanted.end(), tokens.begin(), tokens.end());
    }
    CHECK((stream_of(plan) == wanted));
    CHECK(plan.targets_per_epoch() == wanted.size() - 1);
    CHECK(plan.examples_per_epoch() == (wanted.size() - 1 + length - 1) / length);
  }
}

TEST_CASE("packed, shuffled: every token of the epoch is a target exactly once, but the first of the stream") {
  rng random(2);
  for (int round = 0; round < 30; ++round) {
    const auto file = tokens_of_lengths(random_lengths(random, 1 + random.below(30), 20));
    const uint32_t length = 1 + static_cast<uint32_t>(random.below(25));
    const batch_options options{.sequence_length = length, .batch_tokens = length * (1 + random.below(4)), .seed = random.bits()};
    const auto documents = split_documents(file->documents(), {file->documents() > 3 ? 0.3 : 0.0, 1}).training;
    batches plan(file, documents, options);
    numbers all;
    for (const uint32_t document : documents) {
      const auto tokens = document_tokens(*file, document);
      all.insert(all.end(), tokens.begin(), tokens.end());
    }
    for (const uint64_t epoch : {0u, 1u, 7u}) {
      numbers targets;
      uint64_t padded_rows = 0, rows = 0, full_rows = 0;
      for (const auto& tokens : examples_of_epoch(plan, epoch, options)) {
        targets.insert(targets.end(), tokens.begin() + 1, tokens.end());
        ++rows;
        padded_rows += tokens.size() - 1 < length;
        full_rows += tokens.size() - 1 == length;
      }
      CHECK(targets.size() == plan.targets_per_epoch());
      CHECK(rows == plan.examples_per_epoch());
      CHECK(padded_rows <= 1);
      CHECK(full_rows + padded_rows == rows);
      // All but one token of the stream: the one that comes first.
      auto left = histogram(all);
      for (const auto& [token, count] : histogram(targets)) {
        REQUIRE(left[token] >= count);
        left[token] -= count;
      }
      CHECK(std::accumulate(left.begin(), left.end(), uint64_t(0), [](uint64_t sum, const auto& entry) { return sum + entry.second; }) == 1);
    }
  }
}

TEST_CASE("by tokens: every document is exactly one row an epoch, with rows of similar length") {
  rng random(3);
  for (int round = 0; round < 30; ++round) {
    const auto file = tokens_of_lengths(random_lengths(random, 1 + random.below(60), 40));
    const uint32_t length = 1 + static_cast<uint32_t>(random.below(40));
    const batch_options options{.mode = batch_mode::by_tokens, .sequence_length = length, .batch_tokens = length + random.below(100), .seed = random.bits()};
    const auto documents = split_documents(file->documents(), {file->documents() > 3 ? 0.3 : 0.0, 1}).training;
    batches plan(file, documents, options);
    std::multiset<numbers> wanted;
    uint64_t targets = 0;
    for (const uint32_t document : documents) {
      auto tokens = document_tokens(*file, document);
      tokens.resize(std::min<size_t>(tokens.size(), length + size_t(1)));
      targets += tokens.size() - 1;
      wanted.insert(tokens);
    }
    CHECK(plan.examples_per_epoch() == documents.size());
    CHECK(plan.targets_per_epoch() == targets);
    for (const uint64_t epoch : {0u, 1u, 5u}) CHECK((examples_of_epoch(plan, epoch, options) == wanted));
  }
}

TEST_CASE("by tokens, little is padding") {
  rng random(4);
  const auto file = tokens_of_lengths(random_lengths(random, 2000, 200));
  batches plan(file, all_documents(*file), {.mode = batch_mode::by_tokens, .sequence_length = 256, .batch_tokens = 4096});
  uint64_t tokens = 0;
  for (uint64_t step = 0; step < plan.steps_per_epoch(); ++step) tokens += plan.at(step).tokens.size();
  CHECK(static_cast<double>(plan.targets_per_epoch()) / static_cast<double>(tokens) > 0.97);
}

TEST_CASE("documents of less than two tokens are no examples by tokens, and are counted") {
  const auto file = prepare_tokens(temporary_path(), json_source({"hello", "hello world", "hello"}), *test_tokenizer(), {.add_eos = false}).file;
  REQUIRE(file->length(0) == 1);
  batches plan(file, all_documents(*file), {.mode = batch_mode::by_tokens, .sequence_length = 8, .batch_tokens = 8});
  CHECK(plan.documents_too_short() == 2);
  CHECK(plan.examples_per_epoch() == 1);
  CHECK(plan.steps_per_epoch() == 1);
}

TEST_CASE("a batch depends on its step alone: a resumed run gets what the first would have got") {
  rng random(5);
  const auto file = tokens_of_lengths(random_lengths(random, 100, 60));
  for (const auto mode : {batch_mode::packed, batch_mode::by_tokens}) {
    const batch_options options{.mode = mode, .sequence_length = 32, .batch_tokens = 100, .seed = 11};
    batches plan(file, all_documents(*file), options);
    std::vector<batch> wanted;
    for (uint64_t step = 0; step < 3 * plan.steps_per_epoch(); ++step) wanted.push_back(plan.at(step));
    for (int resume = 0; resume < 10; ++resume) {
      batches again(file, all_documents(*file), options);
      const uint64_t from = random.below(wanted.size());
      for (uint64_t step = from; step < std::min<uint64_t>(from + 30, wanted.size()); ++step) REQUIRE(again.at(step) == wanted[step]);
    }
    for (int i = 0; i < 200; ++i) { // In any order.
      const uint64_t step = random.below(wanted.size());
      REQUIRE(plan.at(step) == wanted[step]);
    }
  }
}

TEST_CASE("epochs and seeds give other orders, and no shuffling the same") {
  rng random(6);
  const auto file = tokens_of_lengths(random_lengths(random, 100, 20));
  for (const auto mode : {batch_mode::packed, batch_mode::by_tokens}) {
    batch_options options{.mode = mode, .sequence_length = 16, .batch_tokens = 64, .seed = 1};
    const auto tokens = [&](uint64_t epoch) {
      batches plan(file, all_documents(*file), options);
      numbers all;
      for (uint64_t i = 0; i < plan.steps_per_epoch(); ++i) {
        const auto some = plan.at(epoch * plan.steps_per_epoch() + i);
        all.insert(all.end(), some.tokens.begin(), some.tokens.end());
      }
      return all;
    };
    const auto first = tokens(0), second = tokens(1);
    CHECK(first != second);
    options.seed = 2;
    CHECK(tokens(0) != first);
    options.shuffle = false;
    CHECK((tokens(0) == tokens(1)));
    CHECK(tokens(0) != first);
  }
}

TEST_CASE("the parts of one long document do not follow each other") {
  const auto file = tokens_of_lengths({1000});
  batches plan(file, {0}, {.sequence_length = 10, .batch_tokens = 10, .seed = 1});
  batches in_order(file, {0}, {.sequence_length = 10, .batch_tokens = 10, .shuffle = false});
  uint64_t same = 0;
  for (uint64_t step = 0; step < plan.steps_per_epoch(); ++step) same += plan.at(step).tokens == in_order.at(step).tokens;
  CHECK(same < 10);
}

TEST_CASE("the batches of a seed are the same for ever") {
  const auto file = tokens_of_lengths({5, 9, 4, 12, 7, 3, 8});
  const auto columns = [&](batch_mode mode, uint64_t step) {
    batches plan(file, all_documents(*file), {.mode = mode, .sequence_length = 4, .batch_tokens = 8, .seed = 42});
    return plan.at(step).tokens;
  };
  CHECK(columns(batch_mode::packed, 0) == numbers{283, 71, 73, 84, 79, 93, 2, 283});
  CHECK(columns(batch_mode::packed, 9) == numbers{70, 76, 82, 0, 2, 283, 73, 80});
  CHECK(columns(batch_mode::by_tokens, 0) == numbers{283, 73, 80, 69, 283, 91, 89, 77});
  CHECK(columns(batch_mode::by_tokens, 6) == numbers{283, 70, 76, 82});
}

TEST_CASE("a batch is cut into whole rows in order, none larger than allowed, nothing lost") {
  rng random(7);
  const auto file = tokens_of_lengths(random_lengths(random, 100, 60));
  for (const auto mode : {batch_mode::packed, batch_mode::by_tokens}) {
    batches plan(file, all_documents(*file), {.mode = mode, .sequence_length = 32, .batch_tokens = 500, .seed = 3});
    for (uint64_t step = 0; step < plan.steps_per_epoch(); ++step) {
      const auto whole = plan.at(step);
      for (const uint64_t most : {uint64_t(32), uint64_t(70), uint64_t(100000)}) {
        const auto parts = cut_batch(whole, most);
        std::vector<numbers> rows;
        uint64_t targets = 0;
        for (const auto& part : parts) {
          REQUIRE(part.tokens.size() <= most);
          check_shape(part, {.sequence_length = 32, .batch_tokens = 500});
          REQUIRE(part.step == whole.step);
          for (uint32_t row = 0; row < part.rows; ++row) rows.push_back(example(part, row));
          targets += target_count(part);
        }
        REQUIRE(rows.size() == whole.rows);
        for (uint32_t row = 0; row < whole.rows; ++row) REQUIRE(rows[row] == example(whole, row));
        CHECK(targets == target_count(whole));
        if (most > 500) CHECK(parts.size() == 1);
      }
    }
    CHECK_THROWS_WITH(cut_batch(plan.at(0), 1), ContainsSubstring("does not fit into 1 tokens"));
  }
}

TEST_CASE("options that cannot be are refused") {
  const auto file = tokens_of_lengths({5, 9});
  const auto refused = [&](const batch_options& options, const std::string& reason) {
    CHECK_THROWS_WITH(batches(file, {0, 1}, options), ContainsSubstring(reason));
    CHECK_THROWS_AS(batches(file, {0, 1}, options), input_error);
  };
  refused({.sequence_length = 0}, "sequence length is 0");
  refused({.sequence_length = 10, .batch_tokens = 9}, "does not hold a sequence of 10");
  refused({.batch_tokens = uint64_t(1) << 31}, "too large");
  refused({.padding = 100000}, "padding is token 100000");
  CHECK_THROWS_WITH(batches(file, {}, {}), ContainsSubstring("nothing to predict"));
  CHECK_THROWS_WITH(batches(file, {}, {.mode = batch_mode::by_tokens}), ContainsSubstring("nothing to predict"));
  CHECK_THROWS_AS(batches(file, {2}, {}), broken_invariant);
}
