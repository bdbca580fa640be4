#include "apps/service/http/tls.hpp"
#include "model/error.hpp"
#include <openssl/err.h>

namespace troupe::http {

boost::asio::ssl::context tls_context(const std::string& certificate_file, const std::string& key_file) {
  namespace ssl = boost::asio::ssl;
  if (certificate_file.empty() || key_file.empty()) throw input_error("TLS needs both a certificate and its private key");
  ssl::context context(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  // Without this OpenSSL asks the terminal for the password of a key that has one.
  context.set_password_callback([](size_t, ssl::context::password_purpose) { return std::string(); });
  boost::system::error_code error;
  context.use_certificate_chain_file(certificate_file, error);
  if (error) throw input_error(certificate_file + ": not a certificate in PEM format that can be used: " + error.message());
  context.use_private_key_file(key_file, ssl::context::pem, error);
  if (error) throw input_error(key_file + ": not the private key of " + certificate_file + " in PEM format: " + error.message());
  if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
    ::ERR_clear_error();
    throw input_error(key_file + ": not the private key of " + certificate_file);
  }
  return context;
}

} // namespace troupe::http
