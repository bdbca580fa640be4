#pragma once
#include <utility>
#include <boost/asio/ssl/context.hpp>
#include <string>

namespace troupe::http {

/// TLS 1.2 and later with this certificate. Throws input_error with the file and the reason.
boost::asio::ssl::context tls_context(const std::string& certificate_file, const std::string& key_file);

} // namespace troupe::http
