#pragma once
// Documents to train on, as they lie in text files.
#include "model/training/data/source_files.hpp"
#include "model/training/data/text_lines.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

enum class source_kind : uint8_t {
  text,       // Plain text, cut into documents at separator lines.
  lines,      // Plain text, of which each line is a document.
  json_lines, // One JSON object a line; a document is the string in one of its fields.
  pairs,      // source <tab> target, one pair a line.
  labels,     // text <tab> label, one a line.
  images,     // PNGs and JPEGs in folders that are called as their labels: labelled_images, not data_source.
};

struct data_source_options {
  source_kind kind = source_kind::text;
  std::vector<std::string> paths = {}; // Files, folders, patterns: see find_source_files().
  /// text: a line that is equal to this ends a document and belongs to none. Empty: any number of blank lines do. Nothing: a
  /// file is a document.
  std::optional<std::string> separator = "";
  std::string field = "text"; // json_lines: of the object itself, not of one within.
  /// labels, images: their names; the number of a label is its place here. Empty: whatever occurs, sorted by bytes.
  std::vector<std::string> labels = {};
};

/// Throws input_error for options that contradict themselves, with the name of the option.
void require_valid(const data_source_options& options);

/// What was found, for people.
struct source_figures {
  uint64_t files = 0, bytes = 0;
  uint64_t documents = 0;    // Usable ones. The rest was skipped:
  uint64_t invalid_utf8 = 0; // bytes that are no text,
  uint64_t empty = 0;        // nothing but white space, or a pair with such a side.
  bool operator==(const source_figures&) const = default;
};

/// The usable documents of some files, numbered from 0 in the order of files and lines. A document's text is without the end of its
/// last line; "\r\n" is "\n" (not where JSON escapes it); a byte order mark at the beginning of a file is no text. U+0000 is a
/// character like others.
///
/// Blank lines between lines, JSON objects, pairs or labels do not matter. A line that is no JSON object, that lacks the field, has
/// another number of columns, or a label that was not expected, is an error, because it says that the file is not what the options
/// claim; a line or document that is no UTF-8, or empty, is skipped and counted, because some are in every large collection.
///
/// Documents are read when they are asked for; in memory are 24 bytes for each, and while the files are gone through some hundred KiB, or
/// the longest line that is no plain text.
/// Immutable and thread-safe.
class data_source {
public:
  /// Reads all files once. Throws input_error with file, line and reason; also when there is no usable document.
  explicit data_source(data_source_options options);
  /// With files that were opened already.
  data_source(data_source_options options, std::vector<std::shared_ptr<const input_file>> files);

  const data_source_options& options() const { return options_; }
  const source_figures& figures() const { return figures_; }
  uint64_t documents() const { return documents_.size(); }
  const std::vector<std::string>& labels() const { return labels_; } // labels: by number.

  /// The text of a document: of pairs the source. Lies in `buffer`. This and all that reads a file again throws input_error when the file
  /// is not as long any more or cannot be read.
  std::string_view text(uint64_t document, std::string& buffer) const;
  std::string_view target(uint64_t document, std::string& buffer) const; // pairs only.
  /// text only: the lines of a document, long ones in pieces. The reader refers to this.
  line_reader lines(uint64_t document) const;
  /// text only: some bytes of a document as they are in the file.
  std::string_view raw_text(uint64_t document, uint64_t offset, uint64_t bytes, std::string& buffer) const;
  uint32_t label(uint64_t document) const;          // labels only: < labels().size()
  /// Bytes that the document takes in its file; about the length of its text.
  uint64_t file_bytes(uint64_t document) const { return documents_[document].bytes; }
  /// "FILE, line N": where the document begins, for error texts. Reads the file up to there.
  std::string place(uint64_t document) const;
  /// Throws input_error when a file was written to since it was opened: then what was read at different times may not belong together.
  void require_unchanged() const;

private:
  struct location {
    uint64_t offset, bytes; // Within the file: text without the last line's end, or a line.
    uint32_t file;
    uint32_t label;
  };
  std::string_view read(const location& place, std::string& buffer) const;
  uint64_t text_begin(uint32_t file) const; // After a byte order mark.
  [[noreturn]] void refuse(uint32_t file, uint64_t line, const std::string& reason) const;
  void read_text(uint32_t file);
  void read_lines(uint32_t file);
  bool add_json(uint32_t file, uint64_t line, std::string_view text); // Whether it is a usable document.
  bool add_columns(uint32_t file, uint64_t line, std::string_view text);
  uint32_t label_number(uint32_t file, uint64_t line, std::string_view name);
  void sort_labels();

  data_source_options options_;
  std::vector<std::shared_ptr<const input_file>> files_;
  std::vector<location> documents_;
  std::vector<std::string> labels_;
  std::vector<std::pair<std::string, uint32_t>> label_index_; // Sorted by name.
  source_figures figures_;
};

} // namespace troupe
