#pragma once
// Endpoints for models that understand or translate, and for tokens.
#include "apps/service/serving/context.hpp"

namespace troupe::service {

/// OpenAI's /v1/embeddings.
void embeddings(call& of, const json_node& body);
/// vLLM's /classify: {"input": ...} -> {"data": [{"index", "label", "probs", "num_classes"}]}. The input of a model of images: data URLs.
void classify(call& of, const json_node& body);
/// LibreTranslate's /translate: {"q": ...} -> {"translatedText": ...}.
void translate(call& of, const json_node& body);
/// OpenAI's /v1/audio/transcriptions and translations: a form with a file of sound, and what it says. Their body is no JSON.
void transcriptions(call& of);
void translations(call& of);
/// llama-server's /tokenize and /detokenize: {"content": ...} -> {"tokens": [...]}, and back; vLLM's "prompt" is taken, too.
void tokenize(call& of, const json_node& body);
void detokenize(call& of, const json_node& body);
/// llama-server's /apply-template: {"messages": ...} -> {"prompt": ...}.
void apply_template(call& of, const json_node& body);

} // namespace troupe::service
