#include "apps/service/serving/prepare.hpp"

#include "apps/service/serving/answer_log.hpp"
#include "apps/service/serving/kept_requests.hpp"

#include <exception>
#include <memory>
#include <optional>
#include <string>

namespace troupe::service {
namespace {

constexpr size_t at_once_max = 16 << 10;        // Bytes of a request that takes a few milliseconds.
constexpr size_t bytes_in_work_max = 256 << 20; // Of all that are prepared.

/// What is counted while a request is prepared.
class preparation {
public:
  preparation(const call& of, served_model& model) : of_(of), model_(model) {
    of_.in.bytes_in_work += of_.body_bytes;
    ++of_.in.preparing;
    model_.load().begun(of_.who.tenant, of_.who.weight, 0, 0, of_.body_bytes);
    if (of_.kept) of_.in.kept->prepares(*of_.kept);
  }
  /// On the server's thread, when the job has ended.
  void finish() {
    of_.in.bytes_in_work -= of_.body_bytes;
    --of_.in.preparing;
    model_.load().ended(of_.who.tenant, 0, 0, of_.body_bytes);
  }
  /// In the end: another request with its key finds it now, or takes its place.
  void finish_kept() const {
    if (of_.kept) of_.in.kept->prepared(*of_.kept);
  }
  call& of() { return of_; }
  bool is_waited_for() const {
    if (of_.kept) return true;
    return of_.log ? of_.log->readers() > 0 : !of_.exchange->gone();
  }
  void fail(const api_error& error) const {
    if (of_.log) of_.log->fail(error);
    else respond_error(*of_.exchange, error, of_.form);
  }

private:
  call of_;
  served_model& model_;
};

} // namespace

void prepare(call& of, served_model& model, std::function<std::function<void(call& of)>()> make) {
  if (of.body_bytes <= at_once_max || (of.kept && of.kept->is_restored)) return make()(of);
  if (of.in.bytes_in_work + of.body_bytes > bytes_in_work_max) {
    api_error error(503, "busy", "too many long requests are being read");
    error.retry_after_ms = 1000;
    throw error;
  }
  const auto one = std::make_shared<preparation>(of, model);
  const auto failed = [one](const std::string& reason) {
    one->finish();
    one->fail(api_error(500, "internal_error", reason));
    one->finish_kept();
  };
  of.in.jobs.compute(
    [one, make = std::move(make)]() -> std::function<void()> {
      std::function<void(call&)> go_on;
      std::exception_ptr failure;
      try {
        go_on = make();
      } catch (...) {
        failure = std::current_exception(); // It is told on the server's thread, by its kind.
      }
      return [one, go_on = std::move(go_on), failure] {
        one->finish();
        std::optional<api_error> error;
        try {
          error = api_error_of([&] {
            if (failure) std::rethrow_exception(failure);
            if (one->of().kept) one->of().in.kept->check_prepared();
            if (one->is_waited_for()) go_on(one->of());
          });
        } catch (const std::exception& other) { // No memory, or a bug: the end of this request alone.
          error.emplace(500, "internal_error", other.what());
        }
        if (error) one->fail(*error);
        one->finish_kept();
      };
    },
    failed);
}

} // namespace troupe::service
