#pragma once
// Keys and certificates by which the nodes of a cluster know each other: TLS in which both ends show a certificate of one private
// authority. Plain code: no actor.
#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// What a node needs to speak with others: files in PEM. CAF reads them anew for every connection, so they may be replaced at any time, but
/// whole (rename) and by ones that fit: when CAF cannot load one, it raises an error in its I/O thread, which ends the process.
struct node_keys {
  std::filesystem::path certificate; // The node's, signed by the authority. Others of a chain to it may follow.
  std::filesystem::path key;         // The private key to it.
  std::filesystem::path authority;   // The certificate of the authority. Whoever it has signed is trusted.
};

/// The customary names in a folder: NODE.crt, NODE.key, authority.crt. Throws input_error if this cannot be a node's name: letters,
/// digits, dot, dash and underscore, at most 64, a letter or digit first; and not "authority".
node_keys keys_in(const std::filesystem::path& folder, std::string_view node);

/// Refuses what a connection would fail with, and a private key that others may know. Throws input_error, which names the file and says
/// what to do: it is missing, cannot be read, is not PEM; the key may be read or written by its group or others, belongs to neither this
/// user nor root, has a password, or is another certificate's; the certificate is not of this authority, not for both ends of a
/// connection, not valid yet, or has expired (with the time).
void require_usable(const node_keys& keys);

/// When the first certificate in a file expires. Throws input_error as require_usable does.
std::chrono::sys_seconds valid_until(const std::filesystem::path& certificate);

struct make_keys_options {
  std::chrono::seconds validity = std::chrono::hours(365 * 24);             // Of a node's certificate; for workers of one run some hours.
  std::chrono::seconds authority_validity = std::chrono::hours(3650 * 24);  // Of an authority that is made.
  bool renew = false; // Makes new certificates for nodes that have one. Their keys stay, so that key and certificate fit at any moment.
};

/// Makes an authority in the folder (authority.key, authority.crt) if it has none, and a key and a certificate for each node. Keys are
/// on the curve P-256; certificates serve both ends of a connection, and are valid from five minutes ago, because clocks differ.
/// The folder is made if need be, for this user only (0700); files appear whole or not at all, keys for this user only (0600). Either all
/// nodes are acceptable or nothing is written. One process at a time may make keys in a folder. Returns the files written, in order.
/// Throws input_error: a node's name, see keys_in(); a node has files already, and `renew` is not set; the authority's files do not fit,
/// or are valid for less time than the new certificates would be; a file cannot be read or written. A process that is killed meanwhile
/// leaves some of the files, all of them whole.
std::vector<std::filesystem::path> make_keys(const std::filesystem::path& folder, std::span<const std::string> nodes,
                                             const make_keys_options& options = {});

} // namespace troupe
