// How a model is split into parts, and that each part writes its own rows only.
#include "model/error.hpp"
#include "model/parts.hpp"
#include "model/tiny_models.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <cstring>
#include <limits>

using namespace troupe;

namespace {

/// Activations of its own, filled from the raw bits of a seeded generator.
struct rows_of_test {
  rows_of_test(uint32_t rows, uint32_t columns, uint64_t seed)
      : all{nullptr, rows, columns, columns}, values(size_t(rows) * columns) {
    raw_bits bits{seed};
    for (float& value : values) value = bits.uniform(-2.0f, 2.0f);
    all.data = values.data();
  }
  rows_of_test(const rows_of_test&) = delete;
  const_rows some(uint32_t first, uint32_t count) const {
    return {all.data + first * all.stride, count, all.columns, all.stride};
  }
  mutable_rows all;
  std::vector<float> values;
};

/// The output of a head for these rows, each group of which continues the sequence of its cache.
std::vector<float> attend_slices(const attention_head_part& head, const_rows x,
                                 std::vector<head_slice> slices) {
  part_scratch scratch;
  std::vector<float> out(size_t(x.rows) * head.output_columns());
  head.forward(x, slices, {out.data(), x.rows, head.output_columns(), head.output_columns()}, scratch);
  return out;
}

bool same_bytes(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// The message of the input_error that making parts of this file ends with.
std::string complaint_about(std::shared_ptr<const model_file> file) {
  try {
    make_parts(std::move(file), {});
  } catch (const input_error& error) {
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("shards cover all rows once, in order, in steps of 32", "[parts]") {
  for (const uint32_t rows : {0u, 1u, 31u, 32u, 33u, 64u, 172u, 600u, 151936u, 4294967295u})
    for (const uint32_t shards : {1u, 2u, 3u, 5u, 64u}) {
      INFO(rows << " rows in " << shards << " shards");
      uint64_t end = 0;
      for (uint32_t shard = 0; shard < shards; ++shard) {
        const range cut = shard_range(rows, shards, shard);
        REQUIRE(cut.first == end);
        end += cut.count;
        REQUIRE((end == rows || end % 32 == 0));
      }
      REQUIRE(end == rows);
    }
}

TEST_CASE("parts have the shapes that the spec demands", "[parts]") {
  for (const tiny_choice& choice : tiny_choices()) {
    INFO(choice.name());
    const auto file = open_tiny(choice);
    const model_spec& spec = file->spec;
    const auto parts = make_parts(file, {.shards = 3});
    CHECK(parts->positions_max == spec.context_length);
    CHECK(parts->weight_bytes > 0);
    REQUIRE(parts->layers.size() == spec.layers.size());
    REQUIRE(parts->output.shards.size() == 3);
    for (size_t i = 0; i < spec.layers.size(); ++i) {
      const attention_spec& attention = spec.layers[i].attention;
      const layer_part& layer = *parts->layers[i];
      REQUIRE(layer.heads.size() == attention.kv_heads);
      for (const auto& head : layer.heads) {
        CHECK(head->query.outputs() == attention.group() * attention.head_dim);
        CHECK(head->key.outputs() == attention.head_dim);
        CHECK(head->value.outputs() == attention.head_dim);
        CHECK((head->rope != nullptr) == (attention.rope.kind != rope_kind::none));
        CHECK(head->rope == layer.heads.front()->rope);
      }
      REQUIRE(layer.shards.size() == 3);
      uint32_t outputs = 0, inner = 0;
      for (const auto& shard : layer.shards) {
        CHECK(shard->output.outputs() == shard->width_range.count);
        CHECK(shard->down.outputs() == shard->width_range.count);
        CHECK(shard->up.outputs() == shard->inner_range.count);
        CHECK(shard->gate.outputs() == (shard->feed_forward.gated ? shard->inner_range.count : 0));
        outputs += shard->width_range.count;
        inner += shard->inner_range.count;
      }
      CHECK(outputs == spec.width);
      CHECK(inner == spec.layers[i].feed_forward.width);
    }
  }
}

TEST_CASE("packing jobs may run in any order and report how far they are", "[parts]") {
  const auto file = open_tiny(tiny_choices().front());
  std::vector<double> shares;
  size_t jobs_seen = 0;
  const job_runner backwards = [&](std::vector<std::function<void()>> jobs) {
    jobs_seen = jobs.size();
    for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) (*job)();
  };
  const auto parts =
      make_parts(file, {.shards = 2}, backwards, [&](double share) { shares.push_back(share); });
  const auto in_order = make_parts(file, {.shards = 2});
  CHECK(parts->weight_bytes == in_order->weight_bytes);
  REQUIRE(shares.size() == jobs_seen);
  CHECK(std::is_sorted(shares.begin(), shares.end()));
  CHECK(shares.front() > 0);
  CHECK(shares.back() == 1.0);

  const rows_of_test x{4, file->spec.width, 1};
  for (size_t index = 0; index < parts->layers[0]->heads.size(); ++index) {
    kv_cache ours{parts->spec.layers[0].attention.head_dim}, theirs{parts->spec.layers[0].attention.head_dim};
    CHECK(same_bytes(attend_slices(*parts->layers[0]->heads[index], x.all, {{&ours, 0, 4}}),
                     attend_slices(*in_order->layers[0]->heads[index], x.all, {{&theirs, 0, 4}})));
  }
}

TEST_CASE("a runner's exception ends the making of parts", "[parts]") {
  const auto file = open_tiny(tiny_choices().front());
  const job_runner failing = [](std::vector<std::function<void()>>) { throw std::bad_alloc(); };
  CHECK_THROWS_AS(make_parts(file, {}, failing), std::bad_alloc);
}

TEST_CASE("a tensor of the wrong shape is named with its file", "[parts]") {
  const auto file = open_tiny(tiny_choices().front());
  CHECK(complaint_about(file).empty());
  using change = std::function<void(model_file&)>;
  const auto shrink = [](stored_tensor& tensor) { tensor = tensor.row_slice(0, tensor.rows - 1); };
  const std::pair<const char*, change> changes[] = {
      {"has shape", [&](model_file& m) { shrink(m.tensors.embedding); }},
      {"has shape", [&](model_file& m) { shrink(m.tensors.output.weight); }},
      {"has shape", [&](model_file& m) { shrink(m.tensors.layers[1].attention.query.weight); }},
      {"has shape", [&](model_file& m) { shrink(m.tensors.layers[1].attention.key.weight); }},
      {"has shape", [&](model_file& m) { shrink(m.tensors.layers[1].attention.value.weight); }},
      {"has shape", [&](model_file& m) { shrink(m.tensors.layers[1].attention.output.weight); }},
      {"has shape", [&](model_file& m) { shrink(m.tensors.layers[1].feed_forward.up.weight); }},
      {"has shape", [&](model_file& m) { shrink(m.tensors.layers[1].feed_forward.down.weight); }},
      {"has shape", [&](model_file& m) { shrink(m.tensors.layers[1].feed_forward.gate->weight); }},
      {"has shape", [&](model_file& m) { m.tensors.layers[0].attention_norm.weight.columns -= 1; }},
      {"has shape", [&](model_file& m) { m.tensors.final_norm->weight.columns += 1; }},
      {"bytes", [&](model_file& m) { m.tensors.embedding.from = std::make_shared<byte_memory>(std::vector<std::byte>(8)); }},
      {"gate is missing", [&](model_file& m) { m.tensors.layers[0].feed_forward.gate.reset(); }},
      {"evenly", [&](model_file& m) { m.spec.layers[0].attention.kv_heads = 3; }},
      {"0 wide", [&](model_file& m) { m.spec.layers[0].attention.head_dim = 0; }},
      {"rotary dimensions", [&](model_file& m) { m.spec.layers[0].attention.rope.dimensions = 7; }},
      {"rotary factors", [&](model_file& m) { m.spec.layers[0].attention.rope.factors = {1.0f}; }},
      {"context length", [&](model_file& m) { m.spec.context_length = 0; }},
      {"layers", [&](model_file& m) { m.spec.layers.pop_back(); }},
      {"learned positions", [&](model_file& m) { m.spec.embedding.positions = position_kind::learned; }},
  };
  int number = 0;
  for (const auto& [reason, apply] : changes) {
    INFO("change " << number++);
    auto changed = std::make_shared<model_file>(*file);
    apply(*changed);
    CHECK_THAT(complaint_about(changed), ContainsSubstring(file->path.string() + ": ") && ContainsSubstring(reason));
  }
}

TEST_CASE("an absurd context length costs no memory", "[parts]") {
  auto file = std::make_shared<model_file>(*open_tiny(tiny_choices().front()));
  REQUIRE_FALSE(file->spec.embedding.positions == position_kind::learned);
  file->spec.context_length = std::numeric_limits<uint32_t>::max();
  const auto parts = make_parts(file, {});
  CHECK(parts->positions_max == partition{}.positions_max);
}

TEST_CASE("sequences that share a step give the same bits as each alone", "[parts]") {
  for (const tiny_choice& choice : tiny_choices()) {
    INFO(choice.name());
    const auto file = open_tiny(choice);
    const auto parts = make_parts(file, {});
    const attention_head_part& head = *parts->layers.back()->heads.back();
    const uint32_t head_dim = head.spec.head_dim;
    const rows_of_test x{70, file->spec.width, 2};

    kv_cache alone_a{head_dim}, alone_b{head_dim};
    auto expected = attend_slices(head, x.some(0, 3), {{&alone_a, 0, 3}});
    const auto b = attend_slices(head, x.some(3, 66), {{&alone_b, 0, 66}});
    const auto more_a = attend_slices(head, x.some(69, 1), {{&alone_a, 3, 1}});
    expected.insert(expected.end(), b.begin(), b.end());
    expected.insert(expected.end(), more_a.begin(), more_a.end());

    kv_cache cache_a{head_dim}, cache_b{head_dim};
    const std::vector<head_slice> step{{&cache_a, 0, 3}, {&cache_b, 0, 66}, {&cache_a, 3, 1}};
    CHECK(same_bytes(attend_slices(head, x.all, step), expected));
    CHECK(cache_a.length() == 4);
    CHECK(cache_b.length() == 66);
    // The same step again, as after a lost answer.
    CHECK(same_bytes(attend_slices(head, x.all, step), expected));
    CHECK(cache_a.length() == 4);
  }
}

TEST_CASE("a row that is not finite affects its own sequence only", "[parts]") {
  for (const tiny_choice& choice : tiny_choices()) {
    INFO(choice.name());
    const auto file = open_tiny(choice);
    const auto parts = make_parts(file, {});
    const attention_head_part& head = *parts->layers.front()->heads.front();
    const uint32_t head_dim = head.spec.head_dim;
    rows_of_test x{6, file->spec.width, 3};
    const auto run = [&] {
      kv_cache a{head_dim}, b{head_dim};
      return attend_slices(head, x.all, {{&a, 0, 3}, {&b, 0, 3}});
    };
    const auto clean = run();
    for (const float poison :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      x.all.row(1)[5] = poison;
      const auto poisoned = run();
      const size_t columns = head.output_columns();
      const std::span<const float> rows{poisoned}, clean_rows{clean};
      CHECK(same_bytes(rows.first(columns), clean_rows.first(columns)));
      CHECK_FALSE(is_finite(rows.subspan(columns, columns)));
      CHECK_FALSE(is_finite(rows.subspan(2 * columns, columns)));
      CHECK(same_bytes(rows.last(3 * columns), clean_rows.last(3 * columns)));
    }
  }
}

TEST_CASE("what a scratch was used for before does not matter", "[parts]") {
  for (const tiny_choice& choice : tiny_choices()) {
    INFO(choice.name());
    const auto file = open_tiny(choice);
    const auto parts = make_parts(file, {.shards = 2});
    const projection_shard_part& shard = *parts->layers[0]->shards[1];
    const rows_of_test small{2, file->spec.width, 4}, large{9, file->spec.width, 5};
    part_scratch used, fresh;
    const uint32_t inner = shard.inner_range.count;
    rows_of_test first{2, inner, 6}, second{2, inner, 7}, other{9, inner, 8};
    shard.inner(small.all, first.all, fresh);
    shard.inner(large.all, other.all, used);
    shard.inner(small.all, second.all, used);
    CHECK(same_bytes(first.values, second.values));
  }
}

TEST_CASE("wrong shapes are broken invariants", "[parts]") {
  const auto file = open_tiny(tiny_choices().front());
  const auto parts = make_parts(file, {});
  part_scratch scratch;
  const uint32_t width = file->spec.width;
  rows_of_test x{2, width, 9}, out{2, width, 10};
  const attention_head_part& head = *parts->layers[0]->heads[0];
  kv_cache cache{head.spec.head_dim};
  rows_of_test attended{2, head.output_columns(), 11};
  const auto forward = [&](std::vector<head_slice> slices) {
    head.forward(x.all, slices, attended.all, scratch);
  };
  CHECK_THROWS_AS(forward({{&cache, 0, 1}}), broken_invariant); // A row too few.
  CHECK_THROWS_AS(forward({{&cache, 0, 3}}), broken_invariant); // A row too many.
  CHECK_THROWS_AS(forward({{nullptr, 0, 2}}), broken_invariant);
  CHECK_THROWS_AS(forward({{&cache, 7, 2}}), broken_invariant); // A gap in the cache.
  const uint32_t tokens[] = {0, file->spec.vocabulary}, positions[] = {0, 1};
  CHECK_THROWS_AS(parts->embedding.forward(tokens, positions, {}, out.all, scratch), broken_invariant);
}
