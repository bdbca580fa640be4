#pragma once
// Training data made up for tests.
#include "model/tokenizer/make_tokenizer.hpp"
#include "model/tokenizer/tokenizer_fixtures.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/training/data/prepare_tokens.hpp"
#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

namespace troupe::testing {

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A source of one file with these bytes.
inline data_source_options source_of(const std::string& bytes, source_kind kind = source_kind::text) {
  return {.kind = kind, .paths = {write_temporary(bytes, ".txt").string()}};
}

inline std::vector<std::string> texts_of(const data_source& source) {
  std::vector<std::string> texts;
  std::string buffer;
  for (uint64_t i = 0; i < source.documents(); ++i) texts.emplace_back(source.text(i, buffer));
  return texts;
}

inline data_source_options json_source(const std::vector<std::string>& texts) {
  std::string lines;
  for (const auto& text : texts) lines += nlohmann::json{{"text", text}}.dump() + '\n';
  return source_of(lines, source_kind::json_lines);
}

inline std::shared_ptr<const tokenizer> test_tokenizer() { return make_tokenizer(sentencepiece_words()); }

/// Documents of these lengths in tokens, each at least 2: "▁", bytes that differ, EOS.
inline std::shared_ptr<const token_file> tokens_of_lengths(const std::vector<uint32_t>& lengths) {
  std::vector<std::string> texts;
  uint64_t state = 1;
  for (const uint32_t length : lengths) {
    std::string text;
    for (uint32_t i = 2; i < length; ++i) text += static_cast<char>('A' + (state = state * 6364136223846793005u + 1) / (uint64_t(1) << 40) % 26);
    texts.push_back(text.empty() ? "." : text);
  }
  auto result = prepare_tokens(temporary_path(), json_source(texts), *test_tokenizer(), {}).file;
  return result;
}

inline std::vector<uint32_t> document_tokens(const token_file& file, uint64_t document) {
  std::vector<uint32_t> out(file.length(document));
  file.read(document, 0, out);
  return out;
}

/// Runs jobs on threads, whichever is free takes the next.
inline job_runner on_threads(unsigned threads) {
  return [threads](std::vector<std::function<void()>> jobs) {
    std::atomic<size_t> next = 0;
    std::vector<std::exception_ptr> errors(threads);
    std::vector<std::thread> running;
    for (unsigned t = 0; t < threads; ++t)
      running.emplace_back([&, t] {
        try {
          for (size_t job = next++; job < jobs.size(); job = next++) jobs[job]();
        } catch (...) {
          errors[t] = std::current_exception();
        }
      });
    for (auto& thread : running) thread.join();
    for (const auto& error : errors)
      if (error) std::rethrow_exception(error);
  };
}

} // namespace troupe::testing
