// Claims: learning rates follow their formulas, at their corners too; gradients are clipped to a norm.
#include "model/training/optimiser.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <numbers>

using namespace troupe;

namespace {

constexpr schedule_kind all_schedules[] = {schedule_kind::constant, schedule_kind::linear, schedule_kind::cosine,
                                           schedule_kind::inverse_square_root};

} // namespace

TEST_CASE("learning rates follow their formulas", "[training]") {
  const double peak = 3e-3, lowest = 1e-4;
  for (const uint64_t warmup : {0u, 1u, 10u}) {
    const uint64_t steps = 100;
    const auto at = [&](schedule_kind kind, uint64_t step) { return rate_schedule{kind, peak, lowest, warmup, steps}.at(step); };
    for (uint64_t step = 1; step <= steps; ++step) {
      INFO("step " << step << " after " << warmup);
      const double t = double(step), w = double(warmup), share = (t - w) / (double(steps) - w);
      const bool warms = step < warmup;
      REQUIRE(at(schedule_kind::constant, step) == Approx(warms ? peak * t / w : peak));
      REQUIRE(at(schedule_kind::linear, step) == Approx(warms ? peak * t / w : peak * (1 - share) + lowest * share));
      REQUIRE(at(schedule_kind::cosine, step) ==
              Approx(warms ? peak * t / w : lowest + (peak - lowest) / 2 * (1 + std::cos(std::numbers::pi * share))));
      const double least = std::max(w, 1.0);
      REQUIRE(at(schedule_kind::inverse_square_root, step) ==
              Approx(peak * std::sqrt(least) * std::min(std::pow(t, -0.5), t * std::pow(least, -1.5))));
    }
  }
}

TEST_CASE("the inverse square root is that of \"Attention Is All You Need\" for its peak", "[training]") {
  const double width = 512, warmup = 4000;
  const rate_schedule schedule{schedule_kind::inverse_square_root, 1 / std::sqrt(width * warmup), 0, 4000, 100'000};
  for (const uint64_t step : {1u, 100u, 3999u, 4000u, 4001u, 100'000u, 1'000'000u})
    REQUIRE(schedule.at(step) ==
            Approx(std::pow(width, -0.5) * std::min(std::pow(double(step), -0.5), double(step) * std::pow(warmup, -1.5))));
}

TEST_CASE("every schedule reaches its peak at the end of the warm-up and never exceeds it", "[training]") {
  for (const schedule_kind kind : all_schedules)
    for (const uint64_t warmup : {1u, 7u, 100u}) {
      const rate_schedule schedule{kind, 0.5, 0.01, warmup, 60};
      REQUIRE(schedule.at(warmup) == Approx(0.5));
      for (uint64_t step = 1; step <= 200; ++step) {
        INFO("kind " << int(kind) << " step " << step << " warm-up " << warmup);
        REQUIRE(schedule.at(step) > 0);
        REQUIRE(schedule.at(step) <= 0.5 * (1 + 1e-15));
        if (step < warmup) REQUIRE(schedule.at(step) < schedule.at(step + 1));
      }
    }
}

TEST_CASE("without a warm-up a schedule begins just below its peak", "[training]") {
  REQUIRE(rate_schedule{schedule_kind::constant, 0.5, 0, 0, 10}.at(1) == 0.5);
  REQUIRE(rate_schedule{schedule_kind::linear, 0.5, 0, 0, 10}.at(1) == Approx(0.45));
  REQUIRE(rate_schedule{schedule_kind::inverse_square_root, 0.5, 0, 0, 10}.at(1) == 0.5);
  REQUIRE(rate_schedule{schedule_kind::cosine, 0.5, 0, 0, 1}.at(1) == 0); // All of it in one step.
}

TEST_CASE("after the last step the rate stays what it was there, except an inverse square root, which has no end", "[training]") {
  for (const uint64_t warmup : {0u, 5u, 20u}) // The last is longer than the training.
    for (const schedule_kind kind : {schedule_kind::constant, schedule_kind::linear, schedule_kind::cosine}) {
      const rate_schedule schedule{kind, 0.5, 0.125, warmup, 10};
      const double end = schedule.at(std::max<uint64_t>(warmup, 10));
      INFO("kind " << int(kind) << " warm-up " << warmup);
      REQUIRE(end == Approx(kind == schedule_kind::constant || warmup > 10 ? 0.5 : 0.125));
      for (const uint64_t step : {21u, 22u, 1'000'000u}) REQUIRE(schedule.at(step) == end);
    }
  const rate_schedule schedule{schedule_kind::inverse_square_root, 0.5, 0.125, 4, 10};
  REQUIRE(schedule.at(16) == Approx(0.25));
  REQUIRE(schedule.at(400) == Approx(0.05));
}

TEST_CASE("gradients longer than the norm to clip to are scaled down to it, others are left alone", "[training]") {
  optimiser_options options;
  REQUIRE(gradient_scale(options, 1e30) == 1); // 0: never.
  options.clip_norm = 2;
  for (const double norm : {0.0, 1e-30, 1.0, 2.0}) REQUIRE(gradient_scale(options, norm) == 1);
  for (const double norm : {2.0001, 4.0, 1e30}) {
    REQUIRE(gradient_scale(options, norm) == Approx(2 / norm).epsilon(1e-6));
    REQUIRE(gradient_scale(options, norm) * norm <= 2);
  }
}

TEST_CASE("a step of Adam takes rate, decay and clipping from its options", "[training]") {
  const optimiser_options options{0.8, 0.96, 1e-6, 0.1, 1.0};
  const rate_schedule schedule{schedule_kind::constant, 0.5, 0, 10, 100};
  const adam_step step = make_adam_step(options, schedule, 5, 4);
  REQUIRE(step.beta1 == 0.8f);
  REQUIRE(step.beta2 == 0.96f);
  REQUIRE(step.epsilon == 1e-6f);
  REQUIRE(step.kept == Approx(1 - 0.25 * 0.1));
  REQUIRE(step.rate_by_correction1 == Approx(0.25 / (1 - std::pow(0.8, 5))));
  REQUIRE(step.root_correction2 == Approx(std::sqrt(1 - std::pow(0.96, 5))));
  REQUIRE(step.gradient_scale == Approx(0.25));
}
