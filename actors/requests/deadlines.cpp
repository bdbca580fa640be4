#include "actors/requests/deadlines.hpp"

namespace troupe {

std::optional<request_deadline> next_deadline(const v1::GenerateRequest& request, bool has_begun) {
  const auto whole = request.deadline_ns(), start = has_begun ? 0 : request.start_deadline_ns();
  if (start != 0 && (whole == 0 || start <= whole))
    return request_deadline{caf::timespan(start), "the request could not be started in time"};
  if (whole != 0) return request_deadline{caf::timespan(whole), "the request's deadline has passed"};
  return std::nullopt;
}

} // namespace troupe
