/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/tls.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER_NAME_BYTES 256
#define NAMES_MAX 16
#define SESSION_LIFETIME_S 3600
#define SECURITY_LEVEL 2 /* 112 bits: RSA from 2048 bits on */

/* RFC 9325 s4.2: forward secrecy and AEAD; TLS 1.3 has nothing else. */
#define SUITES_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"

struct identity {
    SSL_CTX *context; /* NULL: none yet */
    char names[NAMES_MAX][SERVER_NAME_BYTES];
    size_t names_count;
};

struct http_tls {
    SSL_CTX *base; /* what every session begins with: it has no certificate, and the tickets' key */
    struct identity identities[HTTP_TLS_IDENTITIES_MAX];
    size_t identities_count;
};

struct http_tls_session {
    SSL *ssl;
    struct http_tls *tls;
    bool failed; /* OpenSSL forbids every further call but SSL_free() */
    bool output_ended;
    bool name_known;
    char server_name[SERVER_NAME_BYTES];
    struct buf peer;
};

/* What OpenSSL has to say, and nothing is left over for the next call. */
static const char *reason(void)
{
    const unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return text ? text : "the connection broke off";
}

/* --- Choosing an identity ------------------------------------------------ */

/* RFC 6125 s6.4.3: '*' is a whole label, and one only. */
static bool name_fits(const char *pattern, const char *name)
{
    if (strncmp(pattern, "*.", 2) != 0)
        return strcmp(pattern, name) == 0;
    const char *dot = strchr(name, '.');
    return dot && dot != name && strcmp(pattern + 1, dot) == 0;
}

static const struct identity *find_identity(const struct http_tls *tls, const char *name, bool *known)
{
    *known = true;
    for (size_t i = 0; i < tls->identities_count && name[0]; i++)
        for (size_t k = 0; k < tls->identities[i].names_count; k++)
            if (tls->identities[i].context && name_fits(tls->identities[i].names[k], name))
                return &tls->identities[i];
    *known = false;
    return &tls->identities[0];
}

/* RFC 6066 s3: ServerNameList, of which the first entry counts; "" where there is none of the form. */
static void read_server_name(SSL *ssl, char out[SERVER_NAME_BYTES])
{
    const unsigned char *at = NULL;
    size_t len = 0;

    out[0] = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &len) != 1 || len < 5 ||
        at[2] != TLSEXT_NAMETYPE_host_name)
        return;
    const size_t n = (size_t)at[3] << 8 | at[4];
    if (n > len - 5 || n >= SERVER_NAME_BYTES || !span_is_printable(span_of(at + 5, n)))
        return;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)tolower(at[5 + i]);
    out[n] = 0;
}

/* Before OpenSSL looks at a ticket: a session of one identity is not one of another. */
static int on_client_hello(SSL *ssl, int *alert, void *argument)
{
    struct http_tls_session *session = SSL_get_app_data(ssl);

    (void)argument;
    read_server_name(ssl, session->server_name);
    const struct identity *identity = find_identity(session->tls, session->server_name, &session->name_known);
    if (!identity->context || !SSL_set_SSL_CTX(ssl, identity->context)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(identity->context), NULL);
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_server_name(SSL *ssl, int *alert, void *argument)
{
    const struct http_tls_session *session = SSL_get_app_data(ssl);

    (void)alert;
    (void)argument;
    return session->name_known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                        unsigned int in_len, void *argument)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl;
    (void)argument;
    for (unsigned i = 0; i < in_len; i += 1u + in[i])
        if (in_len - i >= sizeof ours - 1 && memcmp(&in[i], ours, sizeof ours - 1) == 0) {
            *out = &in[i + 1];
            *out_len = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 s3.2: no_application_protocol */
}

/* --- Contexts ------------------------------------------------------------- */

static void context_freep(SSL_CTX **context)
{
    SSL_CTX_free(*context);
}

static enum status make_context(SSL_CTX **out)
{
    AUTO(context_freep) SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(context, SUITES_TLS12))
        return fail(FAULT, "tls: %s", reason());
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    /* HTTP says itself where a message ends, so an end without close_notify cuts nothing off. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    /* One record a call: who sends nothing but key updates gets no more turns than others. */
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets need none */
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_timeout(context, SESSION_LIFETIME_S);
    SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    *out = take(context);
    return OK;
}

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

static void x509_freep(X509 **x509)
{
    X509_free(*x509);
}

static void key_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

/* Nobody is there who could be asked for a password. */
static int no_password(char *to, int size, int writes, void *argument)
{
    (void)to;
    (void)size;
    (void)writes;
    (void)argument;
    return 0;
}

/* Each certificate of a PEM text. */
static enum status each_certificate(struct span pem, enum status (*each)(SSL_CTX *context, X509 *x509),
                                    SSL_CTX *context)
{
    AUTO(bio_freep) BIO *bio = BIO_new_mem_buf(pem.len ? (const void *)pem.ptr : "", (int)pem.len);

    for (;;) {
        AUTO(x509_freep) X509 *x509 = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
        if (!x509)
            break;
        TRY(each(context, x509));
    }
    ERR_clear_error(); /* that there is no further one */
    return OK;
}

static enum status use_certificate(SSL_CTX *context, X509 *x509)
{
    const bool first = !SSL_CTX_get0_certificate(context);

    if (first ? SSL_CTX_use_certificate(context, x509) : SSL_CTX_add1_chain_cert(context, x509))
        return OK;
    return fail(BAD_INPUT, "%s", reason());
}

static enum status use_key(SSL_CTX *context, struct span pem)
{
    AUTO(bio_freep) BIO *bio = BIO_new_mem_buf(pem.len ? (const void *)pem.ptr : "", (int)pem.len);
    AUTO(key_freep) EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

    if (!key)
        return fail(BAD_INPUT, "no private key, PEM and without a password");
    if (!SSL_CTX_use_PrivateKey(context, key) || !SSL_CTX_check_private_key(context))
        return fail(BAD_INPUT, "the key is not that of the certificate (%s)", reason());
    return OK;
}

static enum status trust_client(SSL_CTX *context, X509 *x509)
{
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), x509) && SSL_CTX_add_client_CA(context, x509))
        return OK;
    return fail(BAD_INPUT, "%s", reason());
}

static enum status set_clients(SSL_CTX *context, const struct http_tls_identity *identity)
{
    if (identity->client_certificates == HTTP_CLIENT_CERTIFICATES_NONE)
        return OK;
    TRY(each_certificate(identity->client_anchors, trust_client, context));
    if (sk_X509_NAME_num(SSL_CTX_get_client_CA_list(context)) < 1)
        return fail(BAD_INPUT, "no anchor for client certificates");
    X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_PARTIAL_CHAIN);
    const bool required = identity->client_certificates == HTTP_CLIENT_CERTIFICATES_REQUIRED;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return OK;
}

/* A ticket is good for the same identity with the same rules about clients, and for no other. */
static enum status set_session_scope(SSL_CTX *context, size_t place, const struct http_tls_identity *identity)
{
    AUTO(buf_clear) struct buf rules = { 0 };
    uint8_t digest[SHA256_DIGEST_LENGTH];

    TRY(buf_append_format(&rules, "%zu %d %s\n", place, (int)identity->client_certificates, identity->label));
    TRY(buf_append(&rules, identity->client_anchors));
    SHA256(rules.ptr, rules.len, digest);
    if (!SSL_CTX_set_session_id_context(context, digest, sizeof digest))
        return fail(FAULT, "%s", reason());
    return OK;
}

static enum status fill_context(SSL_CTX *context, size_t place, const struct http_tls_identity *identity)
{
    TRY(each_certificate(identity->certificate, use_certificate, context));
    if (!SSL_CTX_get0_certificate(context))
        return fail(BAD_INPUT, "no certificate in PEM");
    TRY(each_certificate(identity->chain, use_certificate, context));
    TRY(use_key(context, identity->key));
    TRY(set_clients(context, identity));
    return set_session_scope(context, place, identity);
}

static enum status copy_names(const struct http_tls_identity *from, struct identity *to)
{
    if (from->names_count > NAMES_MAX)
        return fail(BAD_INPUT, "more than %d names", NAMES_MAX);
    for (size_t i = 0; i < from->names_count; i++)
        TRY(span_to_text(span_of_text(from->names[i]), to->names[i], sizeof to->names[i]));
    to->names_count = from->names_count;
    return OK;
}

enum status http_tls_put(struct http_tls *tls, size_t place, const struct http_tls_identity *identity)
{
    AUTO(context_freep) SSL_CTX *context = NULL;
    struct identity made = { 0 };

    if (place >= HTTP_TLS_IDENTITIES_MAX)
        return fail(BAD_INPUT, "tls: more than %d identities", HTTP_TLS_IDENTITIES_MAX);
    TRY(make_context(&context));
    const enum status status = fill_context(context, place, identity);
    if (status != OK)
        return fail_in(status, "%s", identity->label);
    TRY(copy_names(identity, &made));
    SSL_CTX_free(tls->identities[place].context); /* sessions that use it hold it themselves */
    made.context = take(context);
    tls->identities[place] = made;
    if (tls->identities_count <= place)
        tls->identities_count = place + 1;
    return OK;
}

enum status http_tls_new(struct http_tls **out)
{
    AUTO(http_tls_freep) struct http_tls *tls = calloc(1, sizeof *tls);

    if (!tls)
        return fail(FAULT, "tls: no memory");
    TRY(make_context(&tls->base));
    *out = take(tls);
    return OK;
}

void http_tls_free(struct http_tls *tls)
{
    if (!tls)
        return;
    for (size_t i = 0; i < tls->identities_count; i++)
        SSL_CTX_free(tls->identities[i].context);
    SSL_CTX_free(tls->base);
    free(tls);
}

enum status http_tls_set_ticket_key(struct http_tls *tls, struct span key)
{
    if (key.len != HTTP_TLS_TICKET_KEY_BYTES ||
        !SSL_CTX_set_tlsext_ticket_keys(tls->base, (void *)(uintptr_t)key.ptr, (long)key.len))
        return fail(BAD_INPUT, "tls: a ticket key of %zu bytes, want %d", key.len, HTTP_TLS_TICKET_KEY_BYTES);
    return OK;
}

/* --- Sessions -------------------------------------------------------------- */

enum status http_tls_session_new(struct http_tls *tls, int fd, struct http_tls_session **out)
{
    struct http_tls_session *session = calloc(1, sizeof *session);

    if (session)
        session->ssl = SSL_new(tls->base);
    if (!session || !session->ssl || !SSL_set_fd(session->ssl, fd)) {
        http_tls_session_free(session);
        return fail(FAULT, "tls: no memory for a session");
    }
    session->tls = tls;
    session->peer.limit = 65536;
    SSL_set_app_data(session->ssl, session);
    SSL_set_accept_state(session->ssl);
    *out = session;
    return OK;
}

void http_tls_session_free(struct http_tls_session *session)
{
    if (!session)
        return;
    http_tls_end_output(session);
    SSL_free(session->ssl);
    buf_clear(&session->peer);
    free(session);
}

static enum status keep_peer(struct http_tls_session *session)
{
    const X509 *peer = SSL_get0_peer_certificate(session->ssl);
    const int len = peer && SSL_get_verify_result(session->ssl) == X509_V_OK ? i2d_X509(peer, NULL) : 0;

    if (len <= 0)
        return OK;
    uint8_t *to = buf_reserve(&session->peer, (size_t)len);
    if (!to)
        return fail(FAULT, "tls: no memory for the client's certificate");
    session->peer.len = (size_t)i2d_X509(peer, &to);
    return OK;
}

static enum status explain_handshake(const struct http_tls_session *session)
{
    const long verified = SSL_get_verify_result(session->ssl);

    if (verified != X509_V_OK) {
        ERR_clear_error();
        return fail(BAD_INPUT, "tls: the client's certificate: %s", X509_verify_cert_error_string(verified));
    }
    return fail(BAD_INPUT, "tls: %s", reason());
}

enum status http_tls_handshake(struct http_tls_session *session, bool *wants_write)
{
    ERR_clear_error();
    const int done = SSL_do_handshake(session->ssl);
    if (done == 1)
        return keep_peer(session);
    const int error = SSL_get_error(session->ssl, done);
    *wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ)
        return PENDING;
    session->failed = true;
    return explain_handshake(session);
}

static ssize_t give_up(struct http_tls_session *session)
{
    session->failed = true;
    ERR_clear_error();
    errno = ECONNRESET;
    return -1;
}

ssize_t http_tls_read(struct http_tls_session *session, void *to, size_t size)
{
    size_t n = 0;

    ERR_clear_error();
    if (SSL_read_ex(session->ssl, to, size, &n))
        return (ssize_t)n;
    switch (SSL_get_error(session->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default: /* also SSL_ERROR_WANT_WRITE: key updates from one who does not read our answers to them */
        return give_up(session);
    }
}

ssize_t http_tls_write(struct http_tls_session *session, const void *bytes, size_t len)
{
    size_t n = 0;

    ERR_clear_error();
    if (SSL_write_ex(session->ssl, bytes, len, &n))
        return (ssize_t)n;
    if (SSL_get_error(session->ssl, 0) != SSL_ERROR_WANT_WRITE)
        return give_up(session);
    errno = EAGAIN;
    return -1;
}

bool http_tls_has_pending(const struct http_tls_session *session)
{
    return SSL_pending(session->ssl) > 0;
}

void http_tls_end_output(struct http_tls_session *session)
{
    if (session->failed || session->output_ended || !session->ssl || !SSL_is_init_finished(session->ssl))
        return;
    session->output_ended = true;
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl);
    ERR_clear_error();
}

const char *http_tls_version(const struct http_tls_session *session)
{
    return SSL_get_version(session->ssl);
}

const char *http_tls_server_name(const struct http_tls_session *session)
{
    return session->server_name;
}

struct span http_tls_peer_certificate(const struct http_tls_session *session)
{
    return buf_span(&session->peer);
}
