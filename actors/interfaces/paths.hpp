#pragma once
// The names of all actors. A path names a role in the supervision tree: it stays the same when the actor that has the role is
// replaced.
#include <cstdint>
#include <string>

namespace troupe::paths {

inline const std::string root = "/";
inline const std::string directory = "/directory";
inline const std::string runtime = "/supervisor";
inline const std::string scheduler = "/scheduler";
inline const std::string trainer = "/trainer"; // In a training run, with the loader.
inline const std::string loader = "/loader";
inline const std::string scrubber = "/scrubber"; // Only where weights are scrubbed.
inline const std::string cluster = "/cluster";   // Only where workers compute layers; a link to each is below it.
inline const std::string sequences = "/sequences"; // The supervisor of all sequences.

inline std::string sequence(uint64_t id) { return sequences + "/" + std::to_string(id); }

inline std::string replica(uint32_t index) { return "/replica/" + std::to_string(index); }
inline std::string embedding(uint32_t replica_index) { return replica(replica_index) + "/embedding"; }
inline std::string output(uint32_t replica_index) { return replica(replica_index) + "/output"; }
inline std::string layer(uint32_t replica_index, uint32_t index) {
  return replica(replica_index) + "/layer/" + std::to_string(index);
}
/// Of an encoder: its embedding and layers are at "<this>/embedding" and "<this>/layer/<index>".
inline std::string encoder(uint32_t replica_index) { return replica(replica_index) + "/encoder"; }
inline std::string encoder_embedding(uint32_t replica_index) { return encoder(replica_index) + "/embedding"; }
inline std::string encoder_layer(uint32_t replica_index, uint32_t index) {
  return encoder(replica_index) + "/layer/" + std::to_string(index);
}
inline std::string head(const std::string& layer_path, uint32_t index) {
  return layer_path + "/head/" + std::to_string(index);
}
/// For cross-attention.
inline std::string cross_head(const std::string& layer_path, uint32_t index) {
  return layer_path + "/cross_head/" + std::to_string(index);
}
/// Of a layer or of the output.
inline std::string shard(const std::string& owner_path, uint32_t index) {
  return owner_path + "/shard/" + std::to_string(index);
}
inline std::string worker_link(const std::string& worker) { return cluster + "/worker/" + worker; }
/// A stage whose layers are in a worker; in an encoder: of its layers.
inline std::string remote_layers(uint32_t replica_index, bool of_encoder, uint32_t segment) {
  return (of_encoder ? encoder(replica_index) : replica(replica_index)) + "/remote_layers/" + std::to_string(segment);
}
inline bool is_sequence(const std::string& path) { return path.starts_with(sequences + "/"); }
/// The role of the actor at a path: the last word of it that is no number.
inline std::string role(const std::string& path) {
  if (path == root) return "root";
  if (is_sequence(path)) return "sequence";
  std::string rest = path;
  while (rest.find_last_not_of("0123456789") != rest.size() - 1) rest.resize(rest.rfind('/'));
  const std::string word = rest.substr(rest.rfind('/') + 1);
  return word == "head" ? "attention_head" : word == "shard" ? "projection_shard" : word;
}
/// The supervisor of everything at and below `path`.
inline std::string supervisor(const std::string& path) { return path + "/supervisor"; }

} // namespace troupe::paths
