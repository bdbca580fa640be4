#include "model/tokenizer/marian.hpp"
#include "model/error.hpp"
#include "model/tokenizer/characters.hpp"
#include "model/tokenizer/rewritten_text.hpp"
#include <algorithm>

namespace troupe {

namespace {

struct language_code {
  size_t begin, end;
};

/// The first ">>", something that is no line break, and the last "<<" of its line, from `from` on.
std::optional<language_code> next_code(std::string_view text, size_t from) {
  for (size_t begin = text.find(">>", from); begin != text.npos;) {
    const size_t line_end = std::min(text.find('\n', begin), text.size());
    const auto line = text.substr(begin, line_end - begin);
    const size_t close = line.rfind("<<");
    if (close != line.npos && close >= 3) return language_code{begin, begin + close + 2};
    begin = text.find(">>", line_end); // Another ">>" of this line is further right, its last "<<" the same.
  }
  return {};
}

const vocabulary& cutter_of(const vocabulary& words) {
  if (words.cutter && words.cutter->unknown) return *words.cutter;
  throw input_error("the vocabulary is inconsistent: nothing says how text is cut into its pieces");
}

} // namespace

marian_tokenizer::marian_tokenizer(const vocabulary& words, std::shared_ptr<const tokenizer> cutter)
    : words_(words), rules_(cutter_of(words)), cutter_(std::move(cutter)) {
  if (words_.kinds.size() != words_.pieces.size()) throw input_error("the vocabulary is inconsistent: pieces and kinds differ in number");
  if (!words_.unknown || *words_.unknown >= words_.pieces.size())
    throw input_error("the vocabulary is inconsistent: it has no unknown token");
  if (words_.add_eos && (!words_.eos || *words_.eos >= words_.pieces.size()))
    throw input_error("the vocabulary is inconsistent: it has no token for the end of a text");
  if (words_.add_bos) throw input_error("the vocabulary is inconsistent: Marian's texts have no token before them");
  for (uint32_t id = 0; id < words_.pieces.size(); ++id) {
    if (words_.kinds[id] == piece_kind::unused) continue;
    by_text_.emplace(words_.pieces[id], id);
    if (is_special(id) && !words_.pieces[id].empty()) special_.add(words_.pieces[id], id);
  }
  for (const auto& piece : words_.cutter->pieces) {
    const auto found = by_text_.find(piece);
    ids_.push_back(found == by_text_.end() ? *words_.unknown : found->second);
  }
}

marian_tokenizer::~marian_tokenizer() = default;

bool marian_tokenizer::is_special(uint32_t id) const {
  return words_.kinds[id] == piece_kind::control || words_.kinds[id] == piece_kind::unknown;
}

void marian_tokenizer::tokenize(std::string_view text, bool with_special, bool traces, std::vector<token>& tokens) const {
  size_t done = 0;
  for (size_t at = 0; with_special && at < text.size();) {
    const auto found = special_.longest(text, at, text.size());
    if (!found) {
      ++at;
      continue;
    }
    encode_stretch(text.substr(done, at - done), done, true, traces, tokens);
    done = at + found->length;
    tokens.push_back({found->id, static_cast<uint32_t>(at), static_cast<uint32_t>(done)});
    at = done;
  }
  encode_stretch(text.substr(done), done, with_special, traces, tokens);
}

void marian_tokenizer::encode_stretch(std::string_view text, size_t offset, bool with_codes, bool traces,
                                      std::vector<token>& tokens) const {
  const rewritten_text original(std::string(text), offset, traces);
  auto without_codes = rewritten_text::like(original);
  size_t done = 0;
  for (auto code = next_code(text, 0); with_codes && code; code = next_code(text, done)) {
    if (code->begin == 0) {
      const auto found = by_text_.find(std::string(text.substr(0, code->end)));
      const auto begin = static_cast<uint32_t>(offset);
      tokens.push_back({found == by_text_.end() ? *words_.unknown : found->second, begin, begin + static_cast<uint32_t>(code->end)});
    }
    without_codes.keep(original, done, code->begin);
    done = code->end;
  }
  without_codes.keep(original, done, text.size());
  if (without_codes.text().empty()) return;
  const auto normal = rules_.apply(std::move(without_codes));
  for (const auto& one : cutter_->encode_traced(normal.text(), special_tokens::never).tokens) {
    uint32_t id = ids_[one.id];
    if (one.id == *words_.cutter->unknown) {
      const auto found = by_text_.find(normal.text().substr(one.begin, one.end - one.begin));
      if (found != by_text_.end() && !is_special(found->second)) id = found->second;
    }
    const auto range = traces ? normal.origin(one.begin, one.end) : text_range{};
    tokens.push_back({id, range.begin, range.end});
  }
}

std::string marian_tokenizer::token_bytes(uint32_t id, bool special_text) const {
  check_id(id);
  std::string text = words_.pieces[id];
  if (is_special(id) || words_.kinds[id] == piece_kind::unused) return special_text ? text : std::string();
  for (size_t at = text.find(space_mark); at != std::string::npos; at = text.find(space_mark, at + 1))
    text.replace(at, space_mark.size(), " ");
  return text;
}

std::string marian_tokenizer::decode(std::span<const uint32_t> ids, bool special_text) const {
  std::string text;
  bool begins = true; // A stretch.
  for (const uint32_t id : ids) {
    std::string bytes = token_bytes(id, special_text);
    if (is_special(id)) {
      if (!special_text) continue;
      text += bytes + ' ';
      begins = true;
      continue;
    }
    if (begins) bytes.erase(0, bytes.find_first_not_of(' '));
    begins = begins && bytes.empty();
    text += bytes;
  }
  const auto [first, last] = inside_white_space(text);
  return first < last ? text.substr(first, last - first) : std::string();
}

std::string marian_tokenizer::piece(uint32_t id) const {
  check_id(id);
  return words_.pieces[id];
}

void marian_tokenizer::check_id(uint32_t id) const {
  if (id >= words_.pieces.size())
    throw input_error("token " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(words_.pieces.size()));
}

} // namespace troupe
