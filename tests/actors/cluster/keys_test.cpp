// Goal: keys that are made are what a connection needs, and what a connection would fail with is refused with its file.
#include "actors/cluster/keys.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include "support/file_limit.hpp"
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <optional>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using path = std::filesystem::path;
using names = std::vector<std::string>;
using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using certificate_ptr = std::unique_ptr<X509, decltype(&X509_free)>;

std::string text_of(const path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write(const path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

mode_t permissions(const path& file) {
  struct stat facts {};
  REQUIRE(::stat(file.c_str(), &facts) == 0);
  return facts.st_mode & 0777;
}

key_ptr read_key(const path& file) {
  FILE* const in = std::fopen(file.c_str(), "r");
  REQUIRE(in != nullptr);
  key_ptr key(PEM_read_PrivateKey(in, nullptr, nullptr, nullptr), EVP_PKEY_free);
  std::fclose(in);
  return key;
}

certificate_ptr read_certificate(const path& file) {
  FILE* const in = std::fopen(file.c_str(), "r");
  REQUIRE(in != nullptr);
  certificate_ptr certificate(PEM_read_X509(in, nullptr, nullptr, nullptr), X509_free);
  std::fclose(in);
  return certificate;
}

void write_certificate(const path& file, X509* certificate) {
  FILE* const out = std::fopen(file.c_str(), "w");
  REQUIRE(out != nullptr);
  CHECK(PEM_write_X509(out, certificate) == 1);
  std::fclose(out);
}

/// What the error of `f` says.
std::string error_of(const std::function<void()>& f) {
  try {
    f();
    return "none";
  } catch (const input_error& error) {
    CHECK(ERR_peek_error() == 0); // Nothing is left for the thread's next user of OpenSSL.
    return error.what();
  }
}

/// A folder with an authority and the keys of two nodes.
struct key_folder {
  path folder = testing::temporary_path();
  key_folder() { make_keys(folder, names{"boss", "worker"}); }
  node_keys boss() const { return keys_in(folder, "boss"); }
  node_keys worker() const { return keys_in(folder, "worker"); }
  std::string error() const {
    return error_of([&] { require_usable(worker()); });
  }
  /// The worker's certificate is changed and signed anew by the authority.
  void change_certificate(const std::function<void(X509*)>& change) const {
    const auto authority = read_key(folder / "authority.key");
    const auto certificate = read_certificate(worker().certificate);
    change(certificate.get());
    REQUIRE(X509_sign(certificate.get(), authority.get(), EVP_sha256()) > 0);
    write_certificate(worker().certificate, certificate.get());
  }
};

/// A context as CAF makes one: what the other end shows must be of the authority.
std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_of(const node_keys& keys) {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> made(SSL_CTX_new(TLS_method()), SSL_CTX_free);
  REQUIRE(SSL_CTX_use_certificate_chain_file(made.get(), keys.certificate.c_str()) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey_file(made.get(), keys.key.c_str(), SSL_FILETYPE_PEM) == 1);
  REQUIRE(SSL_CTX_load_verify_locations(made.get(), keys.authority.c_str(), nullptr) == 1);
  SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return made;
}

/// Whether two nodes get as far as to speak with each other.
bool can_speak(const node_keys& client, const node_keys& server) {
  const auto client_context = context_of(client), server_context = context_of(server);
  const std::unique_ptr<SSL, decltype(&SSL_free)> one(SSL_new(client_context.get()), SSL_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> other(SSL_new(server_context.get()), SSL_free);
  BIO *near = nullptr, *far = nullptr;
  REQUIRE(BIO_new_bio_pair(&near, 1 << 16, &far, 1 << 16) == 1);
  SSL_set_bio(one.get(), near, near);
  SSL_set_bio(other.get(), far, far);
  bool client_is_done = false, server_is_done = false;
  for (int turn = 0; turn < 10; ++turn) {
    client_is_done = SSL_connect(one.get()) == 1;
    server_is_done = SSL_accept(other.get()) == 1;
  }
  ERR_clear_error();
  return client_is_done && server_is_done;
}

/// While it exists, this process is somebody who is not root, if it was.
struct somebody_else {
  somebody_else() {
    if (is_root) REQUIRE(::seteuid(65534) == 0);
  }
  ~somebody_else() {
    if (is_root) ::seteuid(0);
  }
  const bool is_root = ::geteuid() == 0;
};

} // namespace

TEST_CASE("keys that are made are usable, private, and valid for a year by default", "[keys]") {
  const path folder = testing::temporary_path() / "deep" / "keys";
  const auto before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto written = make_keys(folder, names{"boss", "worker.2_b-c"});
  const std::vector<path> expected{folder / "authority.key", folder / "authority.crt", folder / "boss.key",
                                   folder / "boss.crt",      folder / "worker.2_b-c.key", folder / "worker.2_b-c.crt"};
  CHECK(written == expected);
  CHECK(permissions(folder) == 0700);
  for (const auto& file : written) {
    INFO(file);
    CHECK((permissions(file) & 0077 & ~0044u) == 0);
    if (file.extension() == ".key") CHECK(permissions(file) == 0600);
  }
  for (const char* node : {"boss", "worker.2_b-c"}) {
    const auto keys = keys_in(folder, node);
    CHECK_NOTHROW(require_usable(keys));
    const auto until = valid_until(keys.certificate);
    CHECK(until >= before + 365 * 24h);
    CHECK(until <= before + 365 * 24h + 60s);
  }
  CHECK(valid_until(folder / "authority.crt") >= before + 3650 * 24h);
  CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 6); // Nothing else is left behind.
}

TEST_CASE("a certificate says what it is for, and whose it is", "[keys]") {
  const key_folder made;
  const auto certificate = read_certificate(made.worker().certificate);
  const uint32_t both = XKU_SSL_SERVER | XKU_SSL_CLIENT;
  CHECK(X509_get_extended_key_usage(certificate.get()) == both);
  CHECK((X509_get_extension_flags(certificate.get()) & (EXFLAG_BCONS | EXFLAG_CA)) == EXFLAG_BCONS);
  CHECK(X509_get_key_usage(certificate.get()) == KU_DIGITAL_SIGNATURE);
  CHECK(X509_check_host(certificate.get(), "worker", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1);
  CHECK(X509_check_host(certificate.get(), "boss", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 0);
  char name[80];
  CHECK(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name) == 6);
  CHECK(std::string(name) == "worker");
  const key_ptr key(X509_get_pubkey(certificate.get()), EVP_PKEY_free);
  char curve[80];
  REQUIRE(EVP_PKEY_get_group_name(key.get(), curve, sizeof curve, nullptr) == 1);
  CHECK(std::string(curve) == "prime256v1");
  const auto authority = read_certificate(made.worker().authority);
  CHECK(X509_check_ca(authority.get()) == 1);
  CHECK(X509_get_pathlen(authority.get()) == 0);
  // Serial numbers are random: two are not alike, and not small.
  const auto other = read_certificate(made.boss().certificate);
  const auto *one_serial = X509_get0_serialNumber(certificate.get()), *other_serial = X509_get0_serialNumber(other.get());
  CHECK(ASN1_INTEGER_cmp(one_serial, other_serial) != 0);
  CHECK(ASN1_STRING_length(one_serial) + ASN1_STRING_length(other_serial) > 32);
}

TEST_CASE("nodes of one authority can speak with each other, and with no others", "[keys]") {
  const key_folder made, others;
  CHECK(can_speak(made.boss(), made.worker()));
  CHECK(can_speak(made.worker(), made.boss()));
  CHECK_FALSE(can_speak(made.boss(), others.worker()));
  CHECK_FALSE(can_speak(others.boss(), made.worker()));
}

TEST_CASE("the program openssl finds nothing wrong with what is made", "[keys]") {
  if (std::system("openssl version > /dev/null 2>&1") != 0) TROUPE_SKIP("there is no program openssl");
  const key_folder made;
  const auto verifies = [](const node_keys& keys, const std::string& purpose) {
    return std::system(("openssl verify -x509_strict -purpose " + purpose + " -CAfile '" + keys.authority.string() + "' '" +
                        keys.certificate.string() + "' > /dev/null 2>&1").c_str()) == 0;
  };
  for (const auto& keys : {made.boss(), made.worker()}) {
    CHECK(verifies(keys, "sslserver"));
    CHECK(verifies(keys, "sslclient"));
    CHECK_FALSE(verifies(keys, "smimesign"));
  }
}

TEST_CASE("a node that is added later is of the same authority", "[keys]") {
  const key_folder made;
  const auto authority = text_of(made.worker().authority);
  const auto written = make_keys(made.folder, names{"late"});
  CHECK(written == std::vector<path>{made.folder / "late.key", made.folder / "late.crt"});
  CHECK(text_of(made.worker().authority) == authority);
  CHECK(can_speak(keys_in(made.folder, "late"), made.worker()));
}

TEST_CASE("keys of one run expire soon", "[keys]") {
  const path folder = testing::temporary_path();
  make_keys_options brief;
  brief.validity = 2s;
  brief.authority_validity = 1h;
  make_keys(folder, names{"worker"}, brief);
  const auto keys = keys_in(folder, "worker");
  const auto until = valid_until(keys.certificate);
  while (std::chrono::system_clock::now() < until + 1s) ::usleep(50'000);
  const auto error = error_of([&] { require_usable(keys); });
  CHECK_THAT(error, ContainsSubstring(keys.certificate.string() + ": the certificate has expired on 20"));
  CHECK_THAT(error, ContainsSubstring("--renew"));
}

TEST_CASE("renewing makes a new certificate for the same key, only when asked", "[keys]") {
  const key_folder made;
  const auto keys = made.worker();
  const auto key = text_of(keys.key), certificate = text_of(keys.certificate);
  CHECK_THAT(error_of([&] { make_keys(made.folder, names{"new", "worker"}); }), ContainsSubstring(keys.key.string() + ": exists already"));
  CHECK_FALSE(std::filesystem::exists(made.folder / "new.key")); // All or nothing.
  make_keys_options renew;
  renew.renew = true;
  CHECK(make_keys(made.folder, names{"worker"}, renew) == std::vector<path>{keys.certificate});
  CHECK(text_of(keys.key) == key);
  CHECK(text_of(keys.certificate) != certificate);
  CHECK_NOTHROW(require_usable(keys));
  // A node whose certificate was lost, or that is new, gets one in the same way.
  std::filesystem::remove(keys.certificate);
  CHECK_THAT(error_of([&] { make_keys(made.folder, names{"worker"}); }), ContainsSubstring(keys.key.string() + ": exists already"));
  make_keys(made.folder, names{"worker", "new"}, renew);
  CHECK(text_of(keys.key) == key);
  CHECK_NOTHROW(require_usable(keys));
  CHECK_NOTHROW(require_usable(keys_in(made.folder, "new")));
}

TEST_CASE("an authority of which one file is missing, or that ends sooner, makes no certificates", "[keys]") {
  const key_folder made;
  make_keys_options longer;
  longer.validity = 3651 * 24h;
  CHECK_THAT(error_of([&] { make_keys(made.folder, names{"late"}, longer); }),
             ContainsSubstring((made.folder / "authority.crt").string() + ": the authority is valid until 20"));
  const auto other = testing::temporary_path();
  CHECK_THAT(error_of([&] { make_keys(other, names{"late"}, longer); }), ContainsSubstring("valid until"));
  CHECK_FALSE(std::filesystem::exists(other));
  // Somebody's certificate in the authority's place.
  std::filesystem::copy_file(made.folder / "authority.crt", made.folder / "kept.crt");
  std::filesystem::copy_file(made.folder / "authority.key", made.folder / "kept.key");
  for (const char* kind : {".crt", ".key"}) {
    std::filesystem::rename(made.folder / (std::string("boss") + kind), made.folder / (std::string("authority") + kind));
  }
  make_keys_options brief;
  brief.validity = 1h;
  CHECK_THAT(error_of([&] { make_keys(made.folder, names{"late"}, brief); }), ContainsSubstring("not signed by the authority"));
  std::filesystem::rename(made.folder / "kept.crt", made.folder / "authority.crt");
  CHECK_THAT(error_of([&] { make_keys(made.folder, names{"late"}); }),
             ContainsSubstring((made.folder / "authority.key").string() + ": is not the private key of"));
  std::filesystem::remove(made.folder / "authority.key");
  CHECK_THAT(error_of([&] { make_keys(made.folder, names{"late"}); }),
             ContainsSubstring((made.folder / "authority.key").string() + ": is missing beside authority.crt"));
  std::filesystem::remove(made.folder / "authority.crt");
  std::filesystem::rename(made.folder / "kept.key", made.folder / "authority.key");
  CHECK_THAT(error_of([&] { make_keys(made.folder, names{"late"}); }),
             ContainsSubstring((made.folder / "authority.crt").string() + ": is missing beside authority.key"));
  CHECK_FALSE(std::filesystem::exists(made.folder / "late.key"));
}

TEST_CASE("names that could leave the folder or hide a file are no nodes' names", "[keys]") {
  for (const std::string name : {"", ".", "..", "../x", "a/b", "-x", "_x", "a b", "a,b", "a:b", "a\nb", "authority", "knöchel"}) {
    INFO(name);
    CHECK_THAT(error_of([&] { keys_in("keys", name); }), ContainsSubstring("a node's name is of"));
    const auto folder = testing::temporary_path();
    CHECK_THAT(error_of([&] { make_keys(folder, names{"good", name}); }), ContainsSubstring("a node's name is of"));
    CHECK_FALSE(std::filesystem::exists(folder));
  }
  CHECK_THAT(error_of([&] { keys_in("keys", std::string("a\0b", 3)); }), ContainsSubstring("a node's name is of"));
  CHECK_THAT(error_of([&] { keys_in("keys", std::string(65, 'a')); }), ContainsSubstring("a node's name is of"));
  CHECK_THAT(error_of([&] { make_keys(testing::temporary_path(), names{"twin", "twin"}); }), ContainsSubstring("named twice"));
  const auto folder = testing::temporary_path();
  const std::string longest(64, 'a');
  make_keys(folder, names{longest, "7.example-host_1"});
  CHECK_NOTHROW(require_usable(keys_in(folder, longest)));
  CHECK_NOTHROW(require_usable(keys_in(folder, "7.example-host_1")));
}

TEST_CASE("a file that is missing, no file, not PEM or damaged is refused by name", "[keys]") {
  for (const path node_keys::*member : {&node_keys::certificate, &node_keys::key, &node_keys::authority}) {
    const key_folder made;
    const path file = made.worker().*member;
    INFO(file);
    const auto refused = [&](const std::string& why) { CHECK_THAT(made.error(), ContainsSubstring(file.string() + ": " + why)); };
    const auto text = text_of(file);
    CHECK(made.error() == "none");
    write(file, "no key at all\n");
    refused(member == &node_keys::key ? "is not a private key in PEM format" : "is not a certificate in PEM format");
    write(file, text.substr(0, text.size() / 2) + std::string(20, '!') + text.substr(text.size() / 2 + 20));
    CHECK_THAT(made.error(), ContainsSubstring(file.string() + ": is "));
    write(file, "");
    refused("is not a ");
    write(file, std::string((1 << 20) + 1, '\n') + text);
    refused("is too large");
    std::filesystem::remove(file);
    refused("there is no such file");
    CHECK_THAT(made.error(), ContainsSubstring("troupe cluster keys"));
    std::filesystem::create_directory(file);
    refused("is not a file");
    std::filesystem::remove(file);
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0); // Nobody writes to it: who waited would wait for ever.
    refused("is not a file");
  }
}

TEST_CASE("a damaged certificate behind a good one is noticed", "[keys]") {
  const key_folder made;
  const auto keys = made.worker();
  const auto good = text_of(keys.authority);
  write(keys.authority, good + good);
  CHECK(made.error() == "none");
  write(keys.authority, good + good.substr(0, 100) + good.substr(104));
  CHECK_THAT(made.error(), ContainsSubstring(keys.authority.string() + ": is damaged"));
}

TEST_CASE("a private key that others may read or write is refused", "[keys]") {
  const key_folder made;
  const auto key = made.worker().key;
  for (const mode_t mode : {0640u, 0620u, 0604u, 0602u, 0666u}) {
    REQUIRE(::chmod(key.c_str(), mode) == 0);
    CHECK_THAT(made.error(), ContainsSubstring(key.string() + ": this private key may be read or written by others"));
  }
  REQUIRE(::chmod(key.c_str(), 0400) == 0);
  CHECK(made.error() == "none");
  // Nor does the authority sign with such a key.
  REQUIRE(::chmod((made.folder / "authority.key").c_str(), 0644) == 0);
  CHECK_THAT(error_of([&] { make_keys(made.folder, names{"late"}); }),
             ContainsSubstring((made.folder / "authority.key").string() + ": this private key may be read"));
}

TEST_CASE("a private key of another user is refused, one of root is not", "[keys]") {
  if (::geteuid() != 0) TROUPE_SKIP("only root can give a file to somebody else");
  const key_folder made;
  const auto key = made.worker().key;
  REQUIRE(::chown(key.c_str(), 65534, 65534) == 0);
  CHECK_THAT(made.error(), ContainsSubstring(key.string() + ": this private key belongs to another user"));
}

TEST_CASE("a file that may not be read is refused with the system's reason", "[keys]") {
  const key_folder made;
  const auto key = made.worker().key;
  REQUIRE(::chmod(key.c_str(), 0) == 0);
  REQUIRE(::chmod(made.folder.c_str(), 0755) == 0);
  const somebody_else us;
  CHECK_THAT(made.error(), ContainsSubstring(key.string() + ": cannot be read: Permission denied"));
}

TEST_CASE("a key with a password is refused, and nobody is asked for it", "[keys]") {
  const key_folder made;
  const auto file = made.worker().key;
  const auto key = read_key(file);
  FILE* const out = std::fopen(file.c_str(), "w");
  const auto* const password = reinterpret_cast<const unsigned char*>("secret");
  REQUIRE(PEM_write_PrivateKey(out, key.get(), EVP_aes_256_cbc(), password, 6, nullptr, nullptr) == 1);
  std::fclose(out);
  CHECK_THAT(made.error(), ContainsSubstring(file.string() + ": is not a private key in PEM format, or has a password"));
}

TEST_CASE("files that do not belong together are refused", "[keys]") {
  const key_folder made, others;
  auto keys = made.worker();
  const auto refused = [&] { return error_of([&] { require_usable(keys); }); };
  keys.key = made.boss().key;
  CHECK_THAT(refused(), ContainsSubstring(keys.key.string() + ": is not the private key of " + keys.certificate.string()));
  keys = made.worker();
  keys.authority = others.worker().authority;
  CHECK_THAT(refused(), ContainsSubstring(keys.certificate.string() + ": the certificate is not signed by the authority in " +
                                          keys.authority.string()));
  keys.authority = keys.certificate; // No authority at all.
  CHECK_THAT(refused(), ContainsSubstring("is not signed by the authority"));
  // While one authority takes the other's place, both may be trusted.
  keys.authority = made.folder / "both.crt";
  write(keys.authority, text_of(others.worker().authority) + text_of(made.worker().authority));
  CHECK(refused() == "none");
}

TEST_CASE("a certificate that was changed after it was signed is refused", "[keys]") {
  const key_folder made;
  const auto file = made.worker().certificate;
  const auto certificate = read_certificate(file);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), 4'000'000'000);
  i2d_re_X509_tbs(certificate.get(), nullptr); // Else the bytes that were read are written.
  write_certificate(file, certificate.get());
  CHECK_THAT(made.error(), ContainsSubstring(file.string() + ": the certificate is not signed by the authority"));
}

TEST_CASE("a certificate that is not valid yet, or for one end only, is refused", "[keys]") {
  const key_folder made;
  const auto file = made.worker().certificate;
  made.change_certificate([](X509* one) { ASN1_TIME_set(X509_getm_notBefore(one), 4'000'000'000); });
  CHECK_THAT(made.error(), ContainsSubstring(file.string() + ": the certificate is not valid before 2096-10-02 07:06:40 UTC"));
  made.change_certificate([](X509* one) {
    ASN1_TIME_set(X509_getm_notBefore(one), 1'000'000'000);
    ASN1_TIME_set(X509_getm_notAfter(one), 1'500'000'000);
  });
  CHECK_THAT(made.error(), ContainsSubstring(file.string() + ": the certificate has expired on 2017-07-14 02:40:00 UTC"));
  for (const char* purpose : {"serverAuth", "clientAuth"}) {
    const key_folder one_sided;
    one_sided.change_certificate([&](X509* one) {
      X509_EXTENSION_free(X509_delete_ext(one, X509_get_ext_by_NID(one, NID_ext_key_usage, -1)));
      X509_EXTENSION* const usage = X509V3_EXT_nconf_nid(nullptr, nullptr, NID_ext_key_usage, purpose);
      REQUIRE(X509_add_ext(one, usage, -1) == 1);
      X509_EXTENSION_free(usage);
    });
    CHECK_THAT(one_sided.error(), ContainsSubstring(one_sided.worker().certificate.string() + ": the certificate must be for both ends"));
  }
}

TEST_CASE("an authority that has expired is blamed by name", "[keys]") {
  const key_folder made;
  const auto key = read_key(made.folder / "authority.key");
  const auto authority = read_certificate(made.worker().authority);
  ASN1_TIME_set(X509_getm_notAfter(authority.get()), 900'000'000);
  REQUIRE(X509_sign(authority.get(), key.get(), EVP_sha256()) > 0);
  write_certificate(made.worker().authority, authority.get());
  const auto blamed = made.worker().authority.string();
  CHECK_THAT(made.error(), ContainsSubstring(blamed + ": the certificate has expired on 1998-07-09 16:00:00 UTC"));
  CHECK_THAT(error_of([&] { make_keys(made.folder, names{"late"}); }), ContainsSubstring("the authority is valid until 1998-07-09"));
}

TEST_CASE("a disk that is full leaves the certificate that was there", "[keys]") {
  const key_folder made;
  const auto file = made.worker().certificate;
  const auto before = text_of(file);
  make_keys_options renew;
  renew.renew = true;
  {
    const testing::file_limit full(100);
    CHECK_THAT(error_of([&] { make_keys(made.folder, names{"worker"}, renew); }),
               ContainsSubstring(file.string() + ": cannot write the file"));
  }
  CHECK(text_of(file) == before);
  CHECK(made.error() == "none");
}

} // namespace troupe
