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

data_source::data_source(data_source_options options, std::vector<std::shared_ptr<const input_file>> files)
    : options_(std::move(options)), files_(std::move(files)), labels_(options_.labels) {
  TROUPE_ASSERT(options_.kind != source_kind::images);
  require_valid(options_);
  for (uint32_t i = 0; i < labels_.size(); ++i) label_index_.emplace_back(labels_[i], i);
  std::sort(label_index_.begin(), label_index_.end());
  for (uint32_t file = 0; file < files_.size(); ++file) {
    if (options_.kind == source_kind::text) read_text(file);
    else read_lines(file);
    figures_.bytes += files_[file]->size();
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

std::string_view data_source::read(const location& place, std::string& buffer) const {
  buffer.resize(place.bytes);
  files_[place.file]->read(place.offset, std::as_writable_bytes(std::span(buffer)));
  return buffer;
}

uint64_t data_source::text_begin(uint32_t file) const {
  std::string start;
  if (files_[file]->size() < byte_order_mark.size()) return 0;
  return read({0, byte_order_mark.size(), file, 0}, start) == byte_order_mark ? byte_order_mark.size() : 0;
}

void data_source::refuse(uint32_t file, uint64_t line, const std::string& reason) const {
  throw input_error(files_[file]->path().string() + ", line " + std::to_string(line) + ": " + reason);
}

void data_source::read_text(uint32_t file) {
  struct {
    uint64_t begin = 0, text_end = 0; // Without the last line's end.
    bool has_lines = false, is_blank = true, is_utf8 = true;
  } document;
  const auto add = [&] {
    if (document.is_blank) ++figures_.empty;
    else if (!document.is_utf8) ++figures_.invalid_utf8;
    else documents_.push_back({document.begin, document.text_end - document.begin, file, 0});
  };
  const auto& separator = options_.separator;
  const bool blank_lines = separator && separator->empty();
  document.begin = text_begin(file);
  auto before = document; // This line.
  bool is_blank_line = true;
  line_reader lines(*files_[file], document.begin, files_[file]->size(), line_reader::long_lines::in_pieces);
  while (const auto line = lines.next()) {
    if (line->is_start) {
      before = document;
      is_blank_line = true;
    }
    is_blank_line = is_blank_line && is_blank(line->text);
    if (separator && line->is_end && (blank_lines ? is_blank_line : line->is_start && line->text == *separator)) {
      document = before;
      if (!blank_lines || document.has_lines) add(); // One blank line more is no document.
      document = {};
      document.begin = line->end;
      continue;
    }
    document.has_lines = true;
    document.text_end = line->text_end();
    document.is_blank = document.is_blank && is_blank(line->text);
    document.is_utf8 = document.is_utf8 && is_utf8_text(line->text);
  }
  if (document.has_lines || !separator) add();
}

void data_source::read_lines(uint32_t file) {
  using long_lines = line_reader::long_lines;
  for (line_reader lines(*files_[file], text_begin(file), files_[file]->size(), long_lines::whole); const auto line = lines.next();) {
    auto text = line->text;
    if (line->end == files_[file]->size() && text.ends_with('\r')) text.remove_suffix(1); // Cut off within "\r\n".
    if (is_blank(text)) continue;
    if (!is_utf8_text(text)) {
      ++figures_.invalid_utf8;
      continue;
    }
    documents_.push_back({line->begin, text.size(), file, 0});
    if (options_.kind == source_kind::lines) continue;
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
  const auto bytes = read(documents_[document], buffer);
  switch (options_.kind) {
    case source_kind::text:
      drop_carriage_returns(buffer);
      return buffer;
    case source_kind::json_lines:
      buffer = json_field(bytes, options_.field);
      return buffer;
    case source_kind::lines:
      return bytes;
    case source_kind::pairs:
    case source_kind::labels:
    case source_kind::images:
      break;
  }
  return bytes.substr(0, bytes.find('\t'));
}

std::string_view data_source::target(uint64_t document, std::string& buffer) const {
  TROUPE_ASSERT(document < documents_.size() && options_.kind == source_kind::pairs);
  const auto bytes = read(documents_[document], buffer);
  return bytes.substr(bytes.find('\t') + 1);
}

line_reader data_source::lines(uint64_t document) const {
  TROUPE_ASSERT(document < documents_.size() && options_.kind == source_kind::text);
  const auto& place = documents_[document];
  return {*files_[place.file], place.offset, place.offset + place.bytes, line_reader::long_lines::in_pieces};
}

std::string_view data_source::raw_text(uint64_t document, uint64_t offset, uint64_t bytes, std::string& buffer) const {
  TROUPE_ASSERT(document < documents_.size() && options_.kind == source_kind::text);
  location place = documents_[document];
  TROUPE_ASSERT(offset <= place.bytes && bytes <= place.bytes - offset);
  place.offset += offset;
  place.bytes = bytes;
  return read(place, buffer);
}

uint32_t data_source::label(uint64_t document) const {
  TROUPE_ASSERT(document < documents_.size() && options_.kind == source_kind::labels);
  return documents_[document].label;
}

std::string data_source::place(uint64_t document) const {
  TROUPE_ASSERT(document < documents_.size());
  const auto& where = documents_[document];
  uint64_t number = 1;
  using long_lines = line_reader::long_lines;
  for (line_reader lines(*files_[where.file], 0, where.offset, long_lines::in_pieces); const auto line = lines.next();)
    number += line->is_end;
  return files_[where.file]->path().string() + ", line " + std::to_string(number);
}

void data_source::require_unchanged() const {
  for (const auto& file : files_) file->require_unchanged();
}

} // namespace troupe
