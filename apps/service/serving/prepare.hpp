#pragma once
// What takes as long as a request is long, such as making its prompt, keeps others waiting if the server's thread does it.
#include "apps/service/serving/context.hpp"
#include <functional>
#include <utility>

namespace troupe::service {

/// Calls `make`, and what it returns, on the server's thread, with the call: at once for a short request or one that was read back, and
/// throws what they throw. Else `make` runs in a background job, after those before it, and must only use what never changes, such as
/// tokenizers and templates; errors are the call's answer, and a request that nobody waits for any more ends there. The request's bytes
/// count among those of its model meanwhile. Throws api_error: 503 where too much is being prepared.
void prepare(call& of, served_model& model, std::function<std::function<void(call& of)>()> make);

/// The same in two parts: `then(of, made)` with what `make()` has made.
template <class Make, class Then> void prepare(call& of, served_model& model, Make make, Then then) {
  prepare(of, model, [make = std::move(make), then = std::move(then)]() mutable -> std::function<void(call&)> {
    return [then = std::move(then), made = make()](call& with) mutable { then(with, std::move(made)); };
  });
}

} // namespace troupe::service
