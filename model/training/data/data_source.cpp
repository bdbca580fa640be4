#include "model/training/data/data_source.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/training/data/text_lines.hpp"
#include <algorithm>
#include <nlohmann/json.hpp>

namespace troupe {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Listens to a parser and keeps the string in one field of the outermost object, so that whatever else a line holds is never built.
/// Of two fields with the same name the later one counts.
class field_listener : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit field_listener(const std::string& field) : field_(field) {}

  bool is_object = false, is_found = false, is_string = false;
  std::string value, error;

  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_integer(number_integer_t) override { return other(); }
  bool number_unsigned(number_unsigned_t) override { return other(); }
  bool number_float(number_float_t, const string_t&) override { return other(); }
  bool binary(binary_t&) override { return other(); }
  bool string(string_t& text) override {
    if (is_wanted()) {
      value = std::move(text);
      is_found = is_string = true;
    }
    return true;
  }
  bool key(string_t& name) override {
    key_is_wanted_ = name == field_; // Of an inner object: a key of the outer one comes before its next value.
    return true;
  }
  bool start_object(size_t) override {
    if (depth_ == 0) is_object = true;
    other();
    ++depth_;
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool start_array(size_t) override {
    other();
    ++depth_;
    return true;
  }
  bool end_array() override { return --depth_, true; }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& reason) override {
    error = reason.what();
    return false;
  }

private:
  bool is_wanted() const { return is_object && depth_ == 1 && key_is_wanted_; }
  bool other() {
    if (is_wanted()) {
      is_found = true;
      is_string = false;
    }
    return true;
  }

  const std::string& field_;
  uint64_t depth_ = 0;
  bool key_is_wanted_ = false;
};

/// "[json.exception...] parse error at line 1, column 17: What is wrong; last read: ..." -> from the column on, without what was
/// read, which is not ours to print.
std::string reason_of(std::string message) {
  message.resize(std::min(message.find("; last read"), message.size()));
  const size_t column = message.find("column ");
  const size_t prefix = message.find("] ");
  message.erase(0, column != std::string::npos ? column : prefix != std::string::npos ? prefix + 2 : 0);
  constexpr size_t longest = 200;
  return message.substr(0, longest);
}

/// A JSON line's field. Throws input_error, without the place, when there is none.
std::string json_field(std::string_view line, const std::string& field) {
  field_listener listener(field);
  nlohmann::json::sax_parse(line.begin(), line.end(), &listener);
  if (!listener.error.empty()) throw input_error("this is no JSON: " + reason_of(listener.error));
  if (!listener.is_object) throw input_error("this is not a JSON object");
  if (!listener.is_found) throw input_error("the object has no field " + in_quotes(field));
  if (!listener.is_string) throw input_error("the field " + in_quotes(field) + " is not a string");
  return std::move(listener.value);
}

std::string_view without_carriage_returns(std::string_view text, std::string& buffer) {
  size_t found = text.find("\r\n");
  if (found == std::string_view::npos) return text;
  buffer.clear();
  buffer.reserve(text.size());
  size_t done = 0;
  for (; found != std::string_view::npos; found = text.find("\r\n", done)) {
    buffer.append(text, done, found - done);
    done = found + 1;
  }
  buffer.append(text, done);
  return buffer;
}

} // namespace

void require_valid(const data_source_options& options) {
  if (options.paths.empty()) throw input_error("no files are named as training data");
  if (options.separator && options.separator->find_first_of("\r\n") != std::string::npos)
    throw input_error("the separator " + in_quotes(*options.separator) + " is more than a line");
  if (options.kind == source_kind::json_lines && !is_utf8(options.field))
    throw input_error("the field's name " + in_quotes(options.field) + " is not UTF-8");
  auto labels = options.labels;
  std::sort(labels.begin(), labels.end());
  if (const auto twice = std::adjacent_find(labels.begin(), labels.end()); twice != labels.end())
    throw input_error("the label " + in_quotes(*twice) + " is given twice");
  if (!labels.empty() && labels.front().empty()) throw input_error("a label has an empty name");
}

data_source::data_source(data_source_options options) : data_source(options, open_source_files(options.paths)) {}

data_source::data_source(data_source_options options, std::vector<std::shared_ptr<const mapped_file>> files)
    : options_(std::move(options)), files_(std::move(files)), labels_(options_.labels) {
  require_valid(options_);
  for (uint32_t i = 0; i < labels_.size(); ++i) label_index_.emplace_back(labels_[i], i);
  std::sort(label_index_.begin(), label_index_.end());
  for (uint32_t file = 0; file < files_.size(); ++file) {
    if (options_.kind == source_kind::text) read_text(file);
    else read_lines(file);
    figures_.bytes += files_[file]->bytes().size();
    files_[file]->release(files_[file]->bytes());
  }
  figures_.files = files_.size();
  figures_.documents = documents_.size();
  sort_labels();
  if (documents_.empty())
    throw input_error((files_.empty() ? std::string("no file") : files_.front()->path().string()) +
                      (files_.size() > 1 ? " and " + std::to_string(files_.size() - 1) + " more files" : "") +
                      ": there is no usable document: " + std::to_string(figures_.empty) + " are empty and " +
                      std::to_string(figures_.invalid_utf8) + " are not UTF-8");
  if (documents_.size() > 0xFFFFFFFF)
    throw input_error(std::to_string(documents_.size()) + " documents are too many: at most 2^32 - 1");
}

std::string_view data_source::content(uint32_t file) const {
  const auto bytes = files_[file]->bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view data_source::raw(const location& document) const {
  return content(document.file).substr(document.offset, document.bytes);
}

void data_source::refuse(uint32_t file, uint64_t line, const std::string& reason) const {
  throw input_error(files_[file]->path().string() + ", line " + std::to_string(line) + ": " + reason);
}

void data_source::read_text(uint32_t file) {
  const std::string_view all = content(file);
  const size_t start = all.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  const std::string_view text = all.substr(start);
  const auto add = [&](size_t begin, size_t end) {
    auto document = text.substr(begin, end - begin);
    if (document.ends_with('\n')) document.remove_suffix(document.ends_with("\r\n") ? 2 : 1);
    if (is_blank(document)) ++figures_.empty;
    else if (!is_utf8_text(document)) ++figures_.invalid_utf8;
    else documents_.push_back({start + begin, document.size(), file, 0});
  };
  if (!options_.separator) return add(0, text.size());
  const bool blank_lines = options_.separator->empty();
  size_t begin = 0;
  for (line_walk lines(text); const auto line = lines.next();) {
    if (blank_lines ? !is_blank(line->text) : line->text != *options_.separator) continue;
    if (!blank_lines || line->begin > begin) add(begin, line->begin); // One blank line more is no document.
    begin = line->end;
  }
  if (begin < text.size()) add(begin, text.size());
}

void data_source::read_lines(uint32_t file) {
  const std::string_view all = content(file);
  const size_t start = all.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  for (line_walk lines(all.substr(start)); const auto line = lines.next();) {
    auto text = line->text;
    if (line->end + start == all.size() && text.ends_with('\r')) text.remove_suffix(1); // Cut off within "\r\n".
    if (is_blank(text)) continue;
    if (!is_utf8_text(text)) {
      ++figures_.invalid_utf8;
      continue;
    }
    documents_.push_back({start + line->begin, text.size(), file, 0});
    const bool is_usable = options_.kind == source_kind::json_lines ? add_json(file, lines.number(), text)
                                                                    : add_columns(file, lines.number(), text);
    if (is_usable) continue;
    documents_.pop_back();
    ++figures_.empty;
  }
}

bool data_source::add_json(uint32_t file, uint64_t line, std::string_view text) {
  try {
    return !is_blank(json_field(text, options_.field));
  } catch (const input_error& reason) {
    refuse(file, line, reason.what());
  }
}

bool data_source::add_columns(uint32_t file, uint64_t line, std::string_view text) {
  const bool pairs = options_.kind == source_kind::pairs;
  const auto columns = std::count(text.begin(), text.end(), '\t') + 1;
  if (columns != 2)
    refuse(file, line, "wanted " + std::string(pairs ? "source and target" : "text and label") +
                           ", with one tab between them, found " + std::to_string(columns) +
                           (columns == 1 ? " column" : " columns"));
  const size_t tab = text.find('\t');
  const auto second = text.substr(tab + 1);
  if (!pairs && is_blank(second)) refuse(file, line, "the label is empty");
  if (is_blank(text.substr(0, tab)) || is_blank(second)) return false;
  if (!pairs) documents_.back().label = label_number(file, line, second);
  return true;
}

uint32_t data_source::label_number(uint32_t file, uint64_t line, std::string_view name) {
  const auto at = std::lower_bound(label_index_.begin(), label_index_.end(), name,
                                   [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
  if (at != label_index_.end() && at->first == name) return at->second;
  if (!options_.labels.empty())
    refuse(file, line, "the label " + in_quotes(name) + " is not one of the " + std::to_string(options_.labels.size()) +
                           " that were given");
  constexpr size_t labels_max = 1 << 16; // More than any classifier has: the columns are probably exchanged.
  if (labels_.size() == labels_max)
    refuse(file, line, "this is label number " + std::to_string(labels_max + 1) + ": are the columns text and label?");
  const auto number = static_cast<uint32_t>(labels_.size());
  labels_.emplace_back(name);
  label_index_.emplace(at, std::string(name), number);
  return number;
}

/// Labels were numbered as they came; their numbers are not to hang on the order of lines.
void data_source::sort_labels() {
  if (options_.kind != source_kind::labels || !options_.labels.empty()) return;
  std::vector<uint32_t> sorted_number(labels_.size());
  for (uint32_t i = 0; i < label_index_.size(); ++i) {
    sorted_number[label_index_[i].second] = i;
    label_index_[i].second = i;
  }
  std::sort(labels_.begin(), labels_.end());
  for (auto& document : documents_) document.label = sorted_number[document.label];
}

std::string_view data_source::text(uint64_t document, std::string& buffer) const {
  TROUPE_ASSERT(document < documents_.size());
  const auto bytes = raw(documents_[document]);
  switch (options_.kind) {
    case source_kind::text:
      return without_carriage_returns(bytes, buffer);
    case source_kind::json_lines:
      buffer = json_field(bytes, options_.field);
      return buffer;
    case source_kind::pairs:
    case source_kind::labels:
      break;
  }
  return bytes.substr(0, bytes.find('\t'));
}

std::string_view data_source::target(uint64_t document) const {
  TROUPE_ASSERT(document < documents_.size() && options_.kind == source_kind::pairs);
  const auto bytes = raw(documents_[document]);
  return bytes.substr(bytes.find('\t') + 1);
}

uint32_t data_source::label(uint64_t document) const {
  TROUPE_ASSERT(document < documents_.size() && options_.kind == source_kind::labels);
  return documents_[document].label;
}

std::string data_source::place(uint64_t document) const {
  TROUPE_ASSERT(document < documents_.size());
  const auto& where = documents_[document];
  const auto before = content(where.file).substr(0, where.offset);
  return files_[where.file]->path().string() + ", line " +
         std::to_string(std::count(before.begin(), before.end(), '\n') + 1);
}

void data_source::release(uint64_t first_document, uint64_t count) const {
  if (count == 0) return;
  TROUPE_ASSERT(first_document + count <= documents_.size());
  const auto& first = documents_[first_document];
  const auto& last = documents_[first_document + count - 1];
  for (uint32_t file = first.file; file <= last.file; ++file) {
    const auto bytes = files_[file]->bytes();
    const uint64_t begin = file == first.file ? first.offset : 0;
    const uint64_t end = file == last.file ? last.offset + last.bytes : bytes.size();
    files_[file]->release(bytes.subspan(begin, end - begin));
  }
}

} // namespace troupe
