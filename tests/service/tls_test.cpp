#include "raw_client.hpp"
#include "support/catch.hpp"
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A key, and a certificate for "localhost" that it signs itself, in files that are removed in the end.
class certificate {
public:
  certificate() : key_(EVP_EC_gen("P-256")), x509_(X509_new()) {
    static int made = 0;
    const std::string base =
        (std::filesystem::temp_directory_path() / ("troupe_tls_" + std::to_string(::getpid()) + "_" + std::to_string(++made))).string();
    certificate_file = base + ".crt";
    key_file = base + ".key";
    X509_set_version(x509_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509_), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509_), 3600);
    X509_set_pubkey(x509_, key_);
    X509_NAME* name = X509_get_subject_name(x509_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(x509_, name);
    X509_sign(x509_, key_, EVP_sha256());
    write(certificate_file, [&](FILE* file) { return PEM_write_X509(file, x509_); });
    write(key_file, [&](FILE* file) { return PEM_write_PrivateKey(file, key_, nullptr, nullptr, 0, nullptr, nullptr); });
  }
  ~certificate() {
    X509_free(x509_);
    EVP_PKEY_free(key_);
    std::filesystem::remove(certificate_file);
    std::filesystem::remove(key_file);
  }
  certificate(const certificate&) = delete;
  certificate& operator=(const certificate&) = delete;

  http::server_options options() const {
    auto options = running_server::quick_options();
    options.certificate_file = certificate_file;
    options.key_file = key_file;
    return options;
  }

  std::string certificate_file, key_file;

private:
  template <class F> static void write(const std::string& path, F f) {
    FILE* file = std::fopen(path.c_str(), "w");
    REQUIRE(file != nullptr);
    CHECK(f(file) == 1);
    std::fclose(file);
  }
  EVP_PKEY* key_;
  X509* x509_;
};

/// TLS over a raw client, which trusts one certificate.
class tls_client : public byte_stream {
public:
  tls_client(uint16_t port, const std::string& trusted, int version_max = TLS1_3_VERSION)
      : socket_(port), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_load_verify_locations(context_, trusted.c_str(), nullptr);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_security_level(context_, 0); // Old versions can be tried.
    SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_, version_max);
    SSL_CTX_set_mode(context_, SSL_MODE_AUTO_RETRY);
    ssl_ = SSL_new(context_);
    SSL_set1_host(ssl_, "localhost");
    const timeval time{10, 0};
    ::setsockopt(socket_.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    SSL_set_fd(ssl_, socket_.descriptor());
    connected_ = SSL_connect(ssl_) == 1;
    ERR_clear_error();
  }
  ~tls_client() override {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  bool connected() const { return connected_; }
  bool send(std::string_view bytes, milliseconds = 10s) override {
    return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }
  outcome receive(std::string& to, milliseconds) override {
    std::array<char, 20000> bytes;
    const int got = SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    if (got > 0) {
      to.append(bytes.data(), static_cast<size_t>(got));
      return outcome::bytes;
    }
    return SSL_get_error(ssl_, got) == SSL_ERROR_ZERO_RETURN ? outcome::end : outcome::broken;
  }
  answer read_answer() { return read_answer_from(*this, received_, 10s); }
  std::string version() const { return SSL_get_version(ssl_); }
  raw_client& socket() { return socket_; }

private:
  raw_client socket_;
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  std::string received_;
};

} // namespace

TEST_CASE("over TLS 1.2 and 1.3 requests, large answers and streams arrive whole, and the end is told") {
  const certificate made;
  running_server server(
      [](const std::shared_ptr<http::exchange>& exchange) {
        if (exchange->asked().path == "/large") return exchange->respond({200, "text/plain", std::string(1'000'000, 'x'), {}});
        if (exchange->asked().path != "/stream") return echo(exchange);
        exchange->begin_stream(200, "text/plain");
        for (int i = 0; i < 100; ++i) exchange->write("piece");
        exchange->end_stream();
      },
      made.options());
  CHECK(server->address() == "https://127.0.0.1:" + std::to_string(server.port()));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    tls_client client(server.port(), made.certificate_file, version);
    REQUIRE(client.connected());
    CHECK(client.version() == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
    REQUIRE(client.send(post("/x", "body")));
    CHECK(client.read_answer().body == "POST /x  body");
    REQUIRE(client.send(get("/stream") + get("/large")));
    CHECK(client.read_answer().body.size() == 500);
    CHECK(client.read_answer().body.size() == 1'000'000);
    REQUIRE(client.send(post("/", std::string(3'000'000, 'y'))));
    CHECK(client.read_answer().body.size() == 3'000'000 + std::string("POST /  ").size());
    REQUIRE(client.send(get("/last", "Connection: close\r\n")));
    CHECK(client.read_answer().body == "GET /last  ");
    std::string rest;
    CHECK(client.receive(rest, 5s) == byte_stream::outcome::end); // With close_notify.
  }
  CHECK(server.becomes([](const auto& facts) { return facts.connections == 0; }));
}

TEST_CASE("TLS before 1.2 is refused") {
  const certificate made;
  running_server server(echo, made.options());
  const tls_client old(server.port(), made.certificate_file, TLS1_1_VERSION);
  CHECK_FALSE(old.connected());
  const tls_client current(server.port(), made.certificate_file);
  CHECK(current.connected());
}

TEST_CASE("a body that is too large is refused over TLS, and the client can read why") {
  const certificate made;
  running_server server(echo, made.options());
  tls_client client(server.port(), made.certificate_file);
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"));
  for (int i = 0; i < 20 && client.send(std::string(1 << 20, 'x')); ++i) {}
  const answer got = client.read_answer();
  CHECK(got.status == 413);
  CHECK(got.complete);
}

TEST_CASE("a client of TLS that goes away is noticed within 100 ms") {
  const certificate made;
  std::shared_ptr<http::exchange> kept;
  std::atomic<bool> gone = false;
  running_server server(
      [&](std::shared_ptr<http::exchange> exchange) {
        exchange->on_gone([&] { gone = true; });
        kept = std::move(exchange);
      },
      made.options());
  tls_client client(server.port(), made.certificate_file);
  REQUIRE(client.send(get("/")));
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 1; }));
  client.socket().close();
  const auto begin = std::chrono::steady_clock::now();
  while (!gone && std::chrono::steady_clock::now() - begin < 100ms) std::this_thread::sleep_for(1ms);
  CHECK(gone);
  server.in_server([&] { kept.reset(); });
}

TEST_CASE("a handshake that is not one, or never comes, ends the connection and nothing else") {
  const certificate made;
  auto options = made.options();
  options.handshake_time = 200ms;
  running_server server(echo, options);
  auto plain = server.connect(), silent = server.connect();
  REQUIRE(plain.send(get("/")));
  CHECK(plain.ended_within(1s));
  CHECK(silent.ended_within(2s));
  tls_client client(server.port(), made.certificate_file);
  REQUIRE(client.send(get("/")));
  CHECK(client.read_answer().status == 200);
}

TEST_CASE("a certificate that cannot be used is refused with its file and the reason") {
  const certificate made, other;
  const auto refusal = [](http::server_options options) -> std::string {
    try {
      const http::server server(std::move(options), echo);
      return "";
    } catch (const input_error& error) {
      return error.what();
    }
  };
  auto options = made.options();
  options.certificate_file = "/no/such.crt";
  CHECK_THAT(refusal(options), ContainsSubstring("/no/such.crt"));
  options = made.options();
  options.certificate_file = made.key_file;
  CHECK_THAT(refusal(options), ContainsSubstring(made.key_file + ": not a certificate"));
  options = made.options();
  options.key_file = other.key_file;
  CHECK_THAT(refusal(options), ContainsSubstring(other.key_file + ": not the private key of " + made.certificate_file));
  options = made.options();
  options.key_file = made.certificate_file;
  CHECK_THAT(refusal(options), ContainsSubstring("not the private key"));
  options = made.options();
  options.key_file = "";
  CHECK_THAT(refusal(options), ContainsSubstring("both"));
}
