// train_vocabulary: makes the vocabulary of a training run. `troupe train` runs it; it is a program of its own because the
// sentencepiece library brings a copy of Protocol Buffers that must not meet troupe's in one process.
//
//   train_vocabulary CONFIG.json FOLDER
//
// Writes tokenizer.json, tokenizer_config.json and tokenizer.model into FOLDER, which appears when they are whole. Says on stdout what it
// has made; errors go to stderr, as one line.
#include "actors/memory/out_of_memory.hpp"
#include "apps/troupe/train/config.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include "model/formats/atomic_folder.hpp"
#include "model/training/data/split.hpp"
#include "model/training/data/train_vocabulary.hpp"
#include "model/training/data/write_tokenizer.hpp"
#include <exception>
#include <iostream>
#include <new>

namespace troupe {
namespace {

void make_vocabulary(const char* config_file, const char* folder) {
  const train_config config = read_train_config(config_file);
  if (!config.vocabulary) throw input_error(std::string(config_file) + ": it asks for no vocabulary");
  const data_source source(config.data);
  const auto documents = split_documents(source.documents(), {config.validation_share, config.seed}).training;
  const trained_vocabulary made = train_vocabulary(source, documents, *config.vocabulary);
  atomic_folder whole(folder);
  write_tokenizer_json(whole.partial(), made.words);
  atomic_file model(whole.partial() / "tokenizer.model");
  model.write(std::as_bytes(std::span(made.sentencepiece_model)));
  model.commit();
  whole.commit();
  std::cout << "a vocabulary of " << made.words.pieces.size() << " pieces, from " << made.documents << " documents\n";
}

} // namespace
} // namespace troupe

int main(int argc, char** argv) {
  troupe::end_when_out_of_memory();
  if (argc != 3) {
    std::cerr << "usage: train_vocabulary CONFIG.json FOLDER\n";
    return 2;
  }
  try {
    troupe::make_vocabulary(argv[1], argv[2]);
    return 0;
  } catch (const std::bad_alloc&) {
    troupe::end_out_of_memory();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 3;
  }
}
