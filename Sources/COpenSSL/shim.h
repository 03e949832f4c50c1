// OpenSSL's headers, and what in them is a macro, which Swift does not see.
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <time.h>

static inline EVP_PKEY *minik_new_p256_key(void) { return EVP_EC_gen("P-256"); }
static inline EVP_PKEY *minik_new_rsa_key(unsigned int bits) { return EVP_RSA_gen(bits); }

/// Seconds since 1970; 0 for what is no time.
static inline long minik_seconds(const ASN1_TIME *time) {
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

/// Accepts certificates of clients without demanding one; whether one is good is asked afterwards.
static int minik_accept_any(int ok, X509_STORE_CTX *context) { (void)ok; (void)context; return 1; }

/// Chooses HTTP/1.1 among the protocols a client offers.
static int minik_choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *length, const unsigned char *in,
                                 unsigned int in_length, void *unused) {
    (void)ssl; (void)unused;
    static const unsigned char http11[] = "\x08http/1.1";
    if (SSL_select_next_proto((unsigned char **)out, length, http11, sizeof http11 - 1, in, in_length) == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_NOACK;
}

static inline void minik_configure_server(SSL_CTX *context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, minik_accept_any);
    SSL_CTX_set_alpn_select_cb(context, minik_choose_protocol, 0);
}

/// r and s of a DER signature as 64 bytes; 1 when it worked (RFC 7518, section 3.4).
static inline int minik_signature_to_raw(const unsigned char *der, long length, unsigned char raw[64]) {
    ECDSA_SIG *signature = d2i_ECDSA_SIG(0, &der, length);
    if (!signature) return 0;
    int ok = BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32) == 32 && BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32) == 32;
    ECDSA_SIG_free(signature);
    return ok;
}

/// The other way; the length written, or 0. `der` holds at least 80 bytes.
static inline int minik_signature_to_der(const unsigned char raw[64], unsigned char *der) {
    ECDSA_SIG *signature = ECDSA_SIG_new();
    if (!signature) return 0;
    BIGNUM *r = BN_bin2bn(raw, 32, 0), *s = BN_bin2bn(raw + 32, 32, 0);
    if (!r || !s || !ECDSA_SIG_set0(signature, r, s)) { BN_free(r); BN_free(s); ECDSA_SIG_free(signature); return 0; }
    int length = i2d_ECDSA_SIG(signature, &der);
    ECDSA_SIG_free(signature);
    return length > 0 ? length : 0;
}

static inline X509 *minik_peer_certificate(const SSL *ssl) { return SSL_get1_peer_certificate(ssl); }

/// A server's certificate has to bear `name`, a host's name or an address; a name is told to the server, too (SNI).
static inline int minik_expect_name(SSL *ssl, const char *name) {
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1) return 1;
    ERR_clear_error();
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

/// A line for each alternative name of a certificate, DNS:NAME or IP:ADDRESS; to be freed, null without any.
static inline char *minik_alternatives(const X509 *certificate) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, 0, 0);
    if (!names) return 0;
    BIO *out = BIO_new(BIO_s_mem());
    for (int i = 0; out && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) BIO_printf(out, "DNS:%.*s\n", ASN1_STRING_length(name->d.dNSName), ASN1_STRING_get0_data(name->d.dNSName));
        if (name->type == GEN_IPADD) {
            char text[64];
            int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
            if (inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text)) BIO_printf(out, "IP:%s\n", text);
        }
    }
    GENERAL_NAMES_free(names);
    char *data = 0, *copy = 0;
    long length = out ? BIO_get_mem_data(out, &data) : 0;
    if (length > 0 && (copy = malloc(length + 1))) { memcpy(copy, data, length); copy[length] = 0; }
    BIO_free(out);
    return copy;
}
