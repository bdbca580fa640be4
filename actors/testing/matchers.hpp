#pragma once
// Catch2 matchers, of version 2 or 3, for what a simulation gives. The only header of troupe::testing that wants Catch2;
// include it after yours.
//
//   CHECK_THAT(run_trial(setup, seed), survives());
//   CHECK_THAT(engine.troupe().outcomes.at(id), comes_out_as(by_reference(model, request)));
#include "actors/testing/outcome.hpp"
#include "actors/testing/trial.hpp"
#if __has_include(<catch2/matchers/catch_matchers.hpp>)
#include <catch2/matchers/catch_matchers.hpp>
#else
#include <catch2/catch.hpp>
#endif

namespace troupe::testing {

#if __has_include(<catch2/matchers/catch_matchers.hpp>)
template <class T> using matcher_base = Catch::Matchers::MatcherBase<T>;
#else
template <class T> using matcher_base = Catch::MatcherBase<T>;
#endif

/// The trial found nothing wrong.
class survives : public matcher_base<trial_report> {
public:
  bool match(const trial_report& report) const override { return report.problem.empty(); }
  std::string describe() const override { return "survives its injected faults"; }
};

/// A finished request has exactly these tokens and rows.
class comes_out_as : public matcher_base<request_outcome> {
public:
  explicit comes_out_as(request_outcome wanted) : wanted_(std::move(wanted)) {}
  bool match(const request_outcome& got) const override { return difference(got, wanted_, true).empty(); }
  std::string describe() const override {
    return "comes out as the " + std::to_string(wanted_.tokens.size()) + " tokens wanted";
  }

private:
  request_outcome wanted_;
};

} // namespace troupe::testing

namespace Catch {

template <> struct StringMaker<troupe::testing::trial_report> {
  static std::string convert(const troupe::testing::trial_report& report) {
    return "seed " + std::to_string(report.seed) + ": " + (report.problem.empty() ? "nothing wrong" : report.problem);
  }
};
template <> struct StringMaker<troupe::testing::request_outcome> {
  static std::string convert(const troupe::testing::request_outcome& got) {
    return std::to_string(got.tokens.size()) + " tokens, ended with " + got.end +
           (got.error.empty() ? "" : ": " + got.error);
  }
};

} // namespace Catch
