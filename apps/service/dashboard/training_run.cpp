#include "apps/service/dashboard/training_run.hpp"

#include "apps/service/api/json_text.hpp"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string_view>
#include <sys/stat.h>

namespace troupe::service {
namespace {

std::optional<double> number_of(const json& line, const char* name) {
  const auto found = line.find(name);
  if (found == line.end() || !found->is_number()) return std::nullopt;
  return found->get<double>(); // Finite: the parser refuses others.
}

} // namespace

bool loss_curve_points::add(loss_point point) {
  sum_ += point.loss;
  if (++count_ < width_) return false;
  points_.push_back({point.update, sum_ / double(count_)});
  sum_ = 0;
  count_ = 0;
  if (points_.size() < most) return false;
  for (size_t i = 0; i < most / 2; ++i) {
    const auto &first = points_[2 * i], &second = points_[2 * i + 1];
    points_[i] = {second.update, (first.loss + second.loss) / 2};
  }
  points_.resize(most / 2);
  width_ *= 2;
  return true;
}

training_run::training_run(std::filesystem::path folder) : file_(folder / "metrics.jsonl") {
  const auto last = folder.has_filename() ? folder : folder.parent_path();
  name_ = last.filename().string();
}

void training_run::begin() {
  rest_.clear();
  skips_line_ = false;
  offset_ = 0;
  training_ = {};
  validation_ = {};
  const uint64_t edition = facts_.edition + 1;
  facts_ = {};
  facts_.edition = edition;
}

training_facts training_run::read() {
  struct stat status {};
  if (stat(file_.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
    const std::pair<uint64_t, uint64_t> identity{status.st_dev, status.st_ino};
    const auto size = uint64_t(status.st_size);
    if (identity != identity_ || size < offset_) begin();
    identity_ = identity;
    std::string bytes(std::min<uint64_t>(size - offset_, bytes_at_once), '\0');
    std::ifstream from(file_, std::ios::binary);
    from.seekg(std::streamoff(offset_));
    from.read(bytes.data(), std::streamsize(bytes.size()));
    bytes.resize(size_t(std::max<std::streamsize>(from.gcount(), 0)));
    offset_ += bytes.size();
    for (std::string_view left(bytes); !left.empty();) {
      const auto end = left.find('\n');
      const auto piece = left.substr(0, end);
      if (!skips_line_) rest_ += piece;
      if (rest_.size() > line_bytes_max) {
        rest_.clear();
        skips_line_ = true;
      }
      if (end == std::string_view::npos) break;
      if (!skips_line_) take_line(rest_);
      rest_.clear();
      skips_line_ = false;
      left.remove_prefix(end + 1);
    }
  }
  auto facts = facts_;
  facts.training = training_.points();
  facts.validation = validation_.points();
  return facts;
}

void training_run::take_line(std::string_view line) {
  const auto figures = json::parse(line, nullptr, false);
  if (!figures.is_object()) return;
  const auto update = number_of(figures, "update");
  if (!update || *update < 0 || *update > 0x1p53) return;
  if (const auto loss = number_of(figures, "val_loss")) {
    facts_.edition += validation_.add({uint64_t(*update), *loss});
  } else if (const auto trained = number_of(figures, "loss")) {
    facts_.edition += training_.add({uint64_t(*update), *trained});
    facts_.update = uint64_t(*update);
    facts_.loss = *trained;
    facts_.accuracy = number_of(figures, "accuracy").value_or(0);
    const double seconds = number_of(figures, "seconds").value_or(0);
    facts_.tokens_per_second = seconds > 0 ? number_of(figures, "tokens").value_or(0) / seconds : 0;
  }
}

} // namespace troupe::service
