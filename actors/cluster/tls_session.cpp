#include "actors/cluster/tls_session.hpp"

#include "model/error.hpp"

#include <algorithm>
#include <climits>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace troupe {
namespace {

using context_pointer = std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)>;

[[noreturn]] void fail(const std::filesystem::path& file) {
  char text[256] = "";
  ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
  ERR_clear_error();
  throw input_error(file.string() + ": cannot be used for TLS: " + text);
}

context_pointer make_context(const node_keys& keys) {
  context_pointer context(SSL_CTX_new(TLS_method()), SSL_CTX_free);
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_num_tickets(context.get(), 0); // Sessions are not resumed.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_use_certificate_chain_file(context.get(), keys.certificate.c_str()) != 1) fail(keys.certificate);
  if (SSL_CTX_use_PrivateKey_file(context.get(), keys.key.c_str(), SSL_FILETYPE_PEM) != 1) fail(keys.key);
  if (SSL_CTX_check_private_key(context.get()) != 1) fail(keys.key);
  if (SSL_CTX_load_verify_locations(context.get(), keys.authority.c_str(), nullptr) != 1) fail(keys.authority);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return context;
}

} // namespace

tls_session::tls_session(const node_keys& keys, int socket, bool is_server) : ssl_(nullptr, SSL_free), is_server_(is_server) {
  ERR_clear_error();
  ssl_.reset(SSL_new(make_context(keys).get())); // It keeps the context.
  if (!ssl_ || SSL_set_fd(ssl_.get(), socket) != 1) throw std::bad_alloc();
}

tls_session::~tls_session() = default;

/// What an operation has come to. The errors that OpenSSL keeps for this thread are those of this operation, because each begins
/// without any.
tls_session::outcome tls_session::verdict(int result, bool may_write) {
  if (result > 0) return outcome::done;
  const int error = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || (may_write && error == SSL_ERROR_WANT_WRITE) ? outcome::wait : outcome::failed;
}

tls_session::outcome tls_session::handshake() {
  ERR_clear_error();
  const auto result = verdict(is_server_ ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get()), false);
  is_established_ = result == outcome::done;
  return result;
}

tls_session::outcome tls_session::read(void* buffer, size_t size, size_t& count) {
  ERR_clear_error();
  const int result = SSL_read(ssl_.get(), buffer, int(std::min<size_t>(size, INT_MAX)));
  count = result > 0 ? size_t(result) : 0;
  return verdict(result, true);
}

tls_session::outcome tls_session::write(const void* buffer, size_t size, size_t& count) {
  count = 0;
  if (size == 0) return outcome::done;
  ERR_clear_error();
  const int result = SSL_write(ssl_.get(), buffer, int(std::min<size_t>(size, INT_MAX)));
  count = result > 0 ? size_t(result) : 0;
  return verdict(result, true);
}

size_t tls_session::pending() const { return size_t(SSL_pending(ssl_.get())); }

} // namespace troupe
