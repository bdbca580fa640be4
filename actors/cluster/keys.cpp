#include "actors/cluster/keys.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <new>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace troupe {
namespace {

using std::chrono::sys_seconds;
using path = std::filesystem::path;

constexpr size_t file_bytes_max = size_t(1) << 20; // A certificate has about one kilobyte.
constexpr size_t name_length_max = 64;             // Of a common name, by X.509.
constexpr std::chrono::seconds clock_slack = std::chrono::minutes(5);

template <auto free> struct free_with {
  template <class T> void operator()(T* one) const { free(one); }
};
using bio_ptr = std::unique_ptr<BIO, free_with<BIO_free>>;
using number_ptr = std::unique_ptr<BIGNUM, free_with<BN_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, free_with<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, free_with<X509_free>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, free_with<X509_EXTENSION_free>>;
using store_ptr = std::unique_ptr<X509_STORE, free_with<X509_STORE_free>>;
using verification_ptr = std::unique_ptr<X509_STORE_CTX, free_with<X509_STORE_CTX_free>>;
struct free_stack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using stack_ptr = std::unique_ptr<STACK_OF(X509), free_stack>;

/// OpenSSL keeps errors for the thread's next caller, who would take them for his own.
struct error_queue_guard {
  error_queue_guard() { ERR_clear_error(); }
  ~error_queue_guard() { ERR_clear_error(); }
  error_queue_guard(const error_queue_guard&) = delete;
  error_queue_guard& operator=(const error_queue_guard&) = delete;
};

/// For what can fail only because there is no memory, or no random number.
void require(bool is_done) {
  if (!is_done) throw std::bad_alloc();
}

[[noreturn]] void refuse(const path& file, const std::string& what) { throw input_error(file.string() + ": " + what); }

/// "2027-03-01 12:30:00 UTC"
std::string text_of(const ASN1_TIME* time) {
  std::tm parts{};
  char text[64] = "a time that is none";
  if (ASN1_TIME_to_tm(time, &parts) == 1) std::strftime(text, sizeof text, "%F %T UTC", &parts);
  return text;
}

sys_seconds time_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? sys_seconds(std::chrono::seconds(::timegm(&parts))) : sys_seconds();
}

// --- Reading

struct opened_file {
  explicit opened_file(int of) : descriptor(of) {}
  ~opened_file() { ::close(descriptor); }
  opened_file(const opened_file&) = delete;
  opened_file& operator=(const opened_file&) = delete;
  int descriptor;
};

enum class secrecy : uint8_t { known_to_all, private_to_owner };

std::string read(const path& file, secrecy wanted) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); // Not to wait for the writer of a pipe.
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      refuse(file, "there is no such file; `troupe cluster keys` makes the keys and certificates of nodes");
    refuse(file, "cannot be read: " + std::generic_category().message(errno));
  }
  const opened_file opened(descriptor);
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0) refuse(file, "cannot be read: " + std::generic_category().message(errno));
  if (!S_ISREG(facts.st_mode)) refuse(file, "is not a file");
  if (wanted == secrecy::private_to_owner) {
    if (facts.st_uid != ::geteuid() && facts.st_uid != 0)
      refuse(file, "this private key belongs to another user, who can change it: make it yours (chown)");
    if ((facts.st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)) != 0)
      refuse(file, "this private key may be read or written by others than its owner: forbid that (chmod 600)");
  }
  std::string text;
  std::array<char, 4096> some;
  while (true) {
    const ssize_t count = ::read(descriptor, some.data(), some.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse(file, "cannot be read: " + std::generic_category().message(errno));
    if (count == 0) return text;
    text.append(some.data(), static_cast<size_t>(count));
    if (text.size() > file_bytes_max) refuse(file, "is too large for a key or a certificate");
  }
}

bio_ptr reader_of(const std::string& text) {
  bio_ptr reader(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  require(reader != nullptr);
  return reader;
}

key_ptr read_key(const path& file) {
  const std::string text = read(file, secrecy::private_to_owner);
  const auto reader = reader_of(text);
  // Without this function OpenSSL asks the terminal for the password of a key that has one.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  key_ptr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, no_password, nullptr));
  if (!key) refuse(file, "is not a private key in PEM format, or has a password, which is not supported");
  return key;
}

std::vector<certificate_ptr> read_certificates(const path& file) {
  const std::string text = read(file, secrecy::known_to_all);
  const auto reader = reader_of(text);
  std::vector<certificate_ptr> all;
  while (certificate_ptr one{PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)}) all.push_back(std::move(one));
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) refuse(file, "is damaged: a certificate in it cannot be read");
  if (all.empty()) refuse(file, "is not a certificate in PEM format");
  return all;
}

// --- Checking

void require_pair(const path& key_file, EVP_PKEY* key, const path& certificate_file, X509* certificate) {
  if (X509_check_private_key(certificate, key) != 1)
    refuse(key_file, "is not the private key of " + certificate_file.string() + ": the two were not made together");
}

/// As both ends of a connection do.
void require_signed(const node_keys& files, const std::vector<certificate_ptr>& node, const std::vector<certificate_ptr>& authority) {
  const store_ptr trusted(X509_STORE_new());
  require(trusted != nullptr);
  for (const auto& one : authority) require(X509_STORE_add_cert(trusted.get(), one.get()) == 1);
  const stack_ptr chain(sk_X509_new_null());
  require(chain != nullptr);
  for (const auto& one : node) require(sk_X509_push(chain.get(), one.get()) > 0);
  for (const int purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT}) {
    const verification_ptr verification(X509_STORE_CTX_new());
    require(verification && X509_STORE_CTX_init(verification.get(), trusted.get(), node.front().get(), chain.get()) == 1 &&
            X509_STORE_CTX_set_purpose(verification.get(), purpose) == 1);
    if (X509_verify_cert(verification.get()) == 1) continue;
    const X509* const blamed = X509_STORE_CTX_get_current_cert(verification.get());
    const path& file = X509_STORE_CTX_get_error_depth(verification.get()) == 0 ? files.certificate : files.authority;
    const int error = X509_STORE_CTX_get_error(verification.get());
    switch (error) {
      case X509_V_ERR_OUT_OF_MEM: throw std::bad_alloc();
      case X509_V_ERR_CERT_NOT_YET_VALID:
        refuse(file, "the certificate is not valid before " + text_of(X509_get0_notBefore(blamed)) + ": is this machine's clock right?");
      case X509_V_ERR_CERT_HAS_EXPIRED:
        refuse(file, "the certificate has expired on " + text_of(X509_get0_notAfter(blamed)) +
                       (&file == &files.certificate ? ": renew it (`troupe cluster keys FOLDER NODE --renew`)"
                                                    : ": make a new authority, and new keys for all nodes, in a new folder"));
      case X509_V_ERR_INVALID_PURPOSE:
        refuse(file, "the certificate must be for both ends of a connection (extendedKeyUsage clientAuth and serverAuth)");
      default:
        refuse(files.certificate, "the certificate is not signed by the authority in " + files.authority.string() + ": " +
                                    X509_verify_cert_error_string(error));
    }
  }
}

// --- Making

key_ptr new_key() {
  key_ptr key(EVP_EC_gen("P-256"));
  require(key != nullptr);
  return key;
}

number_ptr random_number(int bits) {
  number_ptr number(BN_new());
  require(number && BN_rand(number.get(), bits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1);
  return number;
}

void add_extension(X509* to, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const extension_ptr made(X509V3_EXT_nconf_nid(nullptr, &context, kind, value.c_str()));
  require(made && X509_add_ext(to, made.get(), -1) == 1);
}

/// All but the issuer, extensions and signature.
certificate_ptr new_certificate(const std::string& name, EVP_PKEY* key, sys_seconds now, std::chrono::seconds validity) {
  certificate_ptr made(X509_new());
  require(made && X509_set_version(made.get(), X509_VERSION_3) == 1);
  const number_ptr serial = random_number(159); // Positive, and at most 20 bytes.
  require(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(made.get())) != nullptr);
  require(ASN1_TIME_set(X509_getm_notBefore(made.get()), (now - clock_slack).time_since_epoch().count()) != nullptr);
  require(ASN1_TIME_set(X509_getm_notAfter(made.get()), (now + validity).time_since_epoch().count()) != nullptr);
  X509_NAME* const subject = X509_get_subject_name(made.get());
  require(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                                     0) == 1);
  require(X509_set_pubkey(made.get(), key) == 1);
  return made;
}

struct authority {
  key_ptr key;
  std::vector<certificate_ptr> certificates; // One.
};

authority new_authority(sys_seconds now, std::chrono::seconds validity) {
  authority made{new_key(), {}};
  // A name of its own, by which a person can tell two authorities apart.
  char name[64];
  std::snprintf(name, sizeof name, "troupe authority %08lx", static_cast<unsigned long>(BN_get_word(random_number(32).get())));
  auto certificate = new_certificate(name, made.key.get(), now, validity);
  require(X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) == 1);
  add_extension(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash");
  require(X509_sign(certificate.get(), made.key.get(), EVP_sha256()) > 0);
  made.certificates.push_back(std::move(certificate));
  return made;
}

certificate_ptr node_certificate(const std::string& node, EVP_PKEY* key, const authority& by, sys_seconds now,
                                 std::chrono::seconds validity) {
  auto made = new_certificate(node, key, now, validity);
  X509* const issuer = by.certificates.front().get();
  require(X509_set_issuer_name(made.get(), X509_get_subject_name(issuer)) == 1);
  add_extension(made.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(made.get(), issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(made.get(), issuer, NID_ext_key_usage, "clientAuth,serverAuth");
  add_extension(made.get(), issuer, NID_subject_alt_name, "DNS:" + node);
  add_extension(made.get(), issuer, NID_subject_key_identifier, "hash");
  add_extension(made.get(), issuer, NID_authority_key_identifier, "keyid");
  require(X509_sign(made.get(), by.key.get(), EVP_sha256()) > 0);
  return made;
}

bool is_there(const path& file) {
  std::error_code ignored; // What is in the way is noticed when the file is read or written.
  return std::filesystem::exists(std::filesystem::symlink_status(file, ignored));
}

void require_name(std::string_view node) {
  const auto is_letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  const auto is_allowed = [&](char c) { return is_letter_or_digit(c) || c == '.' || c == '-' || c == '_'; };
  if (!node.empty() && node.size() <= name_length_max && is_letter_or_digit(node.front()) &&
      std::all_of(node.begin(), node.end(), is_allowed) && node != "authority")
    return;
  throw input_error("a node's name is of letters, digits, dots, dashes and underscores, " + std::to_string(name_length_max) +
                    " at most, begins with a letter or digit, and is not \"authority\"; so this is none: \"" + std::string(node) + "\"");
}

void make_folder(const path& folder) {
  std::error_code error;
  if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    refuse(folder, "cannot create the folder: " + std::generic_category().message(errno));
  if (!std::filesystem::is_directory(folder, error)) refuse(folder, "is not a folder");
}

bio_ptr text_writer() {
  bio_ptr writer(BIO_new(BIO_s_mem()));
  require(writer != nullptr);
  return writer;
}

void write(const path& file, BIO* text, unsigned permissions) {
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(text, &bytes);
  atomic_file written(file, permissions);
  written.write(std::as_bytes(std::span(bytes, static_cast<size_t>(count))));
  written.commit();
}

void write(const path& file, EVP_PKEY* key) {
  const auto text = text_writer();
  require(PEM_write_bio_PrivateKey(text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  write(file, text.get(), 0600);
}

void write(const path& file, X509* certificate) {
  const auto text = text_writer();
  require(PEM_write_bio_X509(text.get(), certificate) == 1);
  write(file, text.get(), 0644);
}

} // namespace

node_keys keys_in(const path& folder, std::string_view node) {
  require_name(node);
  const std::string name(node);
  return {folder / (name + ".crt"), folder / (name + ".key"), folder / "authority.crt"};
}

void require_usable(const node_keys& keys) {
  const error_queue_guard guard;
  const auto key = read_key(keys.key);
  const auto certificates = read_certificates(keys.certificate);
  const auto trusted = read_certificates(keys.authority);
  require_pair(keys.key, key.get(), keys.certificate, certificates.front().get());
  require_signed(keys, certificates, trusted);
}

sys_seconds valid_until(const path& certificate) {
  const error_queue_guard guard;
  return time_of(X509_get0_notAfter(read_certificates(certificate).front().get()));
}

std::vector<path> make_keys(const path& folder, std::span<const std::string> nodes, const make_keys_options& options) {
  const error_queue_guard guard;
  TROUPE_ASSERT(options.validity.count() > 0 && options.authority_validity.count() > 0);
  for (const auto& node : nodes) {
    if (std::count(nodes.begin(), nodes.end(), node) > 1) throw input_error("the node " + node + " is named twice");
    const auto files = keys_in(folder, node);
    for (const path& file : {files.key, files.certificate}) {
      if (!options.renew && is_there(file)) refuse(file, "exists already; to renew a node's certificate, say so (--renew)");
    }
  }

  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const path authority_key = folder / "authority.key", authority_certificate = folder / "authority.crt";
  const bool has_authority = is_there(authority_certificate);
  if (has_authority != is_there(authority_key)) {
    refuse(has_authority ? authority_key : authority_certificate,
           "is missing beside " + (has_authority ? authority_certificate : authority_key).filename().string() +
             ": keys are made where both files of an authority are, or neither");
  }
  authority by;
  if (has_authority) {
    by = {read_key(authority_key), read_certificates(authority_certificate)};
    require_pair(authority_key, by.key.get(), authority_certificate, by.certificates.front().get());
  } else {
    by = new_authority(now, options.authority_validity);
  }
  const auto* const until = X509_get0_notAfter(by.certificates.front().get());
  if (now + options.validity > time_of(until)) {
    refuse(authority_certificate, "the authority is valid until " + text_of(until) +
                                    ", less long than the certificates would be: choose a shorter time, or make a new authority in "
                                    "a new folder");
  }

  struct made_node {
    node_keys files;
    bool has_key; // From before.
    key_ptr key;
    std::vector<certificate_ptr> certificates; // One.
  };
  std::vector<made_node> made;
  for (const auto& node : nodes) {
    const auto names = keys_in(folder, node);
    const bool has_key = is_there(names.key);
    made_node one{names, has_key, has_key ? read_key(names.key) : new_key(), {}};
    one.certificates.push_back(node_certificate(node, one.key.get(), by, now, options.validity));
    require_signed(names, one.certificates, by.certificates); // An authority that somebody else made may be none.
    made.push_back(std::move(one));
  }

  make_folder(folder);
  std::vector<path> files;
  const auto write_new = [&](const path& file, auto* what) {
    write(file, what);
    files.push_back(file);
  };
  if (!has_authority) {
    write_new(authority_key, by.key.get());
    write_new(authority_certificate, by.certificates.front().get());
  }
  for (const auto& one : made) {
    if (!one.has_key) write_new(one.files.key, one.key.get());
    write_new(one.files.certificate, one.certificates.front().get());
  }
  return files;
}

} // namespace troupe
