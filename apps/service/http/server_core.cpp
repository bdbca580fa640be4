#include "apps/service/http/server_core.hpp"
#include <array>
#include <boost/asio/post.hpp>
#include <cinttypes>
#include <cstdio>

namespace troupe::http {

server_core::server_core(server_options options_, handler answers_) : options(std::move(options_)), answers(std::move(answers_)) {
  std::random_device random;
  std::seed_seq seed{random(), random(), random(), random()};
  ids_.seed(seed);
}

std::string server_core::fresh_request_id() {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "req-%016" PRIx64, static_cast<uint64_t>(ids_()));
  return text.data();
}

std::string server_core::error_body(int status, const std::string& code, const std::string& message, const std::string& path) const {
  return options.error_body ? options.error_body(status, code, message, path) : default_error_body(status, code, message, path);
}

void server_core::report(const std::string& what) const {
  if (!options.on_exception) return;
  try {
    options.on_exception(what);
  } catch (...) { // It was told what there is to tell.
  }
}

void server_core::forget(connection* closed) {
  open.erase(closed);
  facts.connections = open.size();
  // After what else was posted for the last one.
  if (draining && open.empty()) boost::asio::post(io, [this] { io.stop(); });
}

} // namespace troupe::http
