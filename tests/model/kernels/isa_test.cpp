#include "model/kernels/kernel_support.hpp"
#include "model/error.hpp"
#include "model/kernels/isa.hpp"
#include "support/catch.hpp"
#include <algorithm>

using namespace troupe;

TEST_CASE("plain is always available and comes last", "[kernels]") {
  const auto isas = available_isas();
  REQUIRE(isas.back() == "plain");
  REQUIRE(std::ranges::find(isas, current_isa()) != isas.end());
}

TEST_CASE("an instruction set can be pinned, an unknown one is refused by name", "[kernels]") {
  const testing::isa_guard guard;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    REQUIRE(current_isa() == isa);
  }
  const std::string before = current_isa();
  try {
    pin_isa("sse9");
    FAIL("sse9 was accepted");
  } catch (const input_error& error) {
    REQUIRE(std::string(error.what()).find("sse9") != std::string::npos);
    REQUIRE(std::string(error.what()).find("plain") != std::string::npos);
  }
  REQUIRE(current_isa() == before);
}
