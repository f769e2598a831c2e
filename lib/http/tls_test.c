/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS on loopback: OpenSSL's client against our server, whose loop is turned by hand between the steps.
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/http/http.h"
#include "lib/pki/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PATIENCE_MS 5000
#define BIG_BYTES ((size_t)300000)

/* --- Keys and certificates ------------------------------------------------ */

struct party {
    struct private_key *key;
    struct cert *cert;
    struct buf key_pem;
    struct buf cert_pem;
};

static struct party root, server_a, server_b, client, stranger_root, stranger;

static void make_party(struct party *out, const struct party *issuer, const char *name, const char *dns)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    const int64_t now_s = clock_now_s();

    assert_int_equal(private_key_generate((struct key_spec){ KEY_EC_P256, 256 }, &out->key), OK);
    assert_int_equal(name_parse_text(name, &subject), OK);
    assert_int_equal(general_names_parse_text(&dns, dns ? 1 : 0, &san), OK);
    assert_int_equal(cert_serial_generate(serial), OK);
    const struct cert_content content = {
        .serial = span_of(serial, sizeof serial),
        .subject = buf_span(&subject),
        .subject_alt_name = buf_span(&san),
        .spki = public_key_get_spki(private_key_get_public(out->key)),
        .not_before_s = now_s - 60,
        .not_after_s = now_s + 3600,
        .key_usage = issuer ? KEY_USAGE_DIGITAL_SIGNATURE : KEY_USAGE_KEY_CERT_SIGN,
        .is_ca = !issuer,
        .path_length = PATH_LENGTH_NONE,
    };
    assert_int_equal(cert_issue(&content, issuer ? issuer->cert : NULL, issuer ? issuer->key : out->key, &der), OK);
    assert_int_equal(cert_parse(buf_span(&der), &out->cert), OK);
    assert_int_equal(private_key_write_pem(out->key, &out->key_pem), OK);
    assert_int_equal(cert_append_pem(out->cert, &out->cert_pem), OK);
}

static void party_clear(struct party *party)
{
    private_key_free(party->key);
    cert_free(party->cert);
    buf_clear(&party->key_pem);
    buf_clear(&party->cert_pem);
}

static int make_parties(void **state)
{
    (void)state;
    make_party(&root, NULL, "CN=Root", NULL);
    make_party(&stranger_root, NULL, "CN=Root", NULL);
    make_party(&server_a, &root, "CN=a.example", "IP:127.0.0.1");
    make_party(&server_b, &root, "CN=b.example", "DNS:b.example");
    make_party(&client, &root, "CN=client", NULL);
    make_party(&stranger, &stranger_root, "CN=client", NULL);
    return 0;
}

static int clear_parties(void **state)
{
    struct party *const all[] = { &root, &server_a, &server_b, &client, &stranger_root, &stranger };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        party_clear(all[i]);
    return 0;
}

/* --- The server ------------------------------------------------------------- */

struct house {
    struct event_base *base;
    struct http_tls *tls;
    struct http_server *server;
    uint16_t port;
    unsigned served;
    char version[16];
    char server_name[256];
    struct buf peer;
};

static void handle(void *context, struct http_exchange *exchange)
{
    struct house *house = context;
    const struct http_request *request = http_exchange_get_request(exchange);
    const bool wants_big = span_equal(request->path, SPAN_LITERAL("/big"));
    uint8_t *big = calloc(1, BIG_BYTES);

    house->served++;
    snprintf(house->version, sizeof house->version, "%s", request->tls_version);
    snprintf(house->server_name, sizeof house->server_name, "%s", request->server_name);
    assert_int_equal(buf_set(&house->peer, request->peer_certificate), OK);
    const struct span body = wants_big ? span_of(big, BIG_BYTES) : request->body;
    http_exchange_reply(exchange, &(struct http_response){ .status = 200, .content_type = "text/plain", .body = body });
    free(big);
}

static enum status put(struct house *house, size_t place, const struct party *party, const char *name,
                       enum http_client_certificates clients)
{
    return http_tls_put(house->tls, place,
                        &(struct http_tls_identity){ .label = "tls test",
                                                     .names = &name,
                                                     .names_count = name ? 1 : 0,
                                                     .certificate = buf_span(&party->cert_pem),
                                                     .chain = buf_span(&root.cert_pem),
                                                     .key = buf_span(&party->key_pem),
                                                     .client_certificates = clients,
                                                     .client_anchors = buf_span(&root.cert_pem) });
}

#define HEAD_TIME_MS 3000

static int open_house(void **state)
{
    static const struct http_limits limits = {
        .body_bytes = 65536, .header_bytes = 8192, .header_timeout_s = HEAD_TIME_MS / 1000, .body_timeout_s = 1, .connections = 4
    };
    struct house *house = calloc(1, sizeof *house);
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    int listener = -1;

    house->base = event_base_new();
    assert_int_equal(http_tls_new(&house->tls), OK);
    assert_int_equal(put(house, 0, &server_a, NULL, HTTP_CLIENT_CERTIFICATES_NONE), OK);
    assert_int_equal(put(house, 1, &server_b, "b.example", HTTP_CLIENT_CERTIFICATES_OPTIONAL), OK);
    assert_int_equal(http_listen("127.0.0.1:0", &listener), OK);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    house->port = ntohs(at.sin_port);
    assert_int_equal(http_server_new(house->base, NULL, 0, &limits, handle, house, &house->server), OK);
    assert_int_equal(http_server_listen_tls(house->server, &listener, 1, house->tls), OK);
    *state = house;
    return 0;
}

static int close_house(void **state)
{
    struct house *house = *state;

    http_server_free(house->server);
    http_tls_free(house->tls);
    event_base_free(house->base);
    buf_clear(&house->peer);
    free(house);
    return 0;
}

static void turn(struct house *house)
{
    event_base_loop(house->base, EVLOOP_NONBLOCK);
    usleep(100);
}

/* --- The client ------------------------------------------------------------- */

struct caller {
    struct house *house;
    int fd;
    SSL_CTX *context;
    SSL *ssl;
};

static void call(struct house *house, struct caller *out)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(house->port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    out->house = house;
    out->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(out->fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(evutil_make_socket_nonblocking(out->fd), 0);
    out->context = SSL_CTX_new(TLS_client_method());
    out->ssl = SSL_new(out->context);
    SSL_set_fd(out->ssl, out->fd);
}

static void hang_up(struct caller *caller)
{
    SSL_free(caller->ssl);
    SSL_CTX_free(caller->context);
    close(caller->fd);
}

static void use_certificate(struct caller *caller, const struct party *party)
{
    const struct span der = cert_get_der(party->cert);
    BIO *pem = BIO_new_mem_buf(party->key_pem.ptr, (int)party->key_pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);

    assert_int_equal(SSL_use_certificate_ASN1(caller->ssl, der.ptr, (int)der.len), 1);
    assert_int_equal(SSL_use_PrivateKey(caller->ssl, key), 1);
    EVP_PKEY_free(key);
    BIO_free(pem);
}

/* Until the client's part is done (true), or fails. */
static bool shake(struct caller *caller)
{
    const int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (clock_monotonic_ms() < until_ms) {
        ERR_clear_error();
        const int done = SSL_connect(caller->ssl);
        if (done == 1)
            return true;
        const int error = SSL_get_error(caller->ssl, done);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return false;
        turn(caller->house);
    }
    return false;
}

static bool say(struct caller *caller, struct span bytes)
{
    while (bytes.len) {
        ERR_clear_error();
        size_t n = 0;
        if (!SSL_write_ex(caller->ssl, bytes.ptr, bytes.len, &n) &&
            SSL_get_error(caller->ssl, 0) != SSL_ERROR_WANT_WRITE)
            return false;
        bytes = span_of(bytes.ptr + n, bytes.len - n);
        turn(caller->house);
    }
    return true;
}

/* Read until `want` bytes are there, or the server ends; returns how it ended: SSL_ERROR_NONE for enough. */
static int hear(struct caller *caller, struct buf *heard, size_t want)
{
    const int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (heard->len < want && clock_monotonic_ms() < until_ms) {
        size_t n = 0;
        uint8_t *to = buf_reserve(heard, 16384);
        turn(caller->house);
        ERR_clear_error();
        if (SSL_read_ex(caller->ssl, to, 16384, &n)) {
            heard->len += n;
            continue;
        }
        const int error = SSL_get_error(caller->ssl, 0);
        if (error != SSL_ERROR_WANT_READ)
            return error;
    }
    return heard->len < want ? SSL_ERROR_WANT_READ : SSL_ERROR_NONE;
}

static bool is_served(struct caller *caller)
{
    AUTO(buf_clear) struct buf heard = { 0 };

    return say(caller, SPAN_LITERAL("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")) &&
           hear(caller, &heard, 15) == SSL_ERROR_NONE && memcmp(heard.ptr, "HTTP/1.1 200 OK", 15) == 0;
}

static bool shows(const struct caller *caller, const struct party *party)
{
    unsigned char *der = NULL;
    X509 *sent = SSL_get1_peer_certificate(caller->ssl);
    const int len = i2d_X509(sent, &der);
    const bool same = span_equal(span_of(der, (size_t)len), cert_get_der(party->cert));

    OPENSSL_free(der);
    X509_free(sent);
    return same;
}

/* --- Versions, suites, protocols --------------------------------------------- */

static bool is_served_by_version(struct house *house, int version)
{
    AUTO(hang_up) struct caller caller = { 0 };

    call(house, &caller);
    SSL_set_security_level(caller.ssl, 0);
    SSL_set_min_proto_version(caller.ssl, version);
    SSL_set_max_proto_version(caller.ssl, version);
    return shake(&caller) && is_served(&caller);
}

static void tls_1_2_and_1_3_are_served_and_nothing_older(void **state)
{
    struct house *house = *state;

    assert_true(is_served_by_version(house, TLS1_2_VERSION));
    assert_string_equal(house->version, "TLSv1.2");
    assert_true(is_served_by_version(house, TLS1_3_VERSION));
    assert_string_equal(house->version, "TLSv1.3");
    assert_false(is_served_by_version(house, TLS1_1_VERSION));
    assert_false(is_served_by_version(house, TLS1_VERSION));
}

static void suites_without_forward_secrecy_or_aead_are_refused(void **state)
{
    static const char *const suites[] = { "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384" };

    for (size_t i = 0; i < COUNT_OF(suites); i++) {
        AUTO(hang_up) struct caller caller = { 0 };
        call(*state, &caller);
        SSL_set_max_proto_version(caller.ssl, TLS1_2_VERSION);
        assert_int_equal(SSL_set_cipher_list(caller.ssl, suites[i]), 1);
        assert_false(shake(&caller));
    }
}

static void http_1_1_is_agreed_upon_and_another_protocol_is_not(void **state)
{
    AUTO(hang_up) struct caller both = { 0 };
    AUTO(hang_up) struct caller other = { 0 };
    const unsigned char *chosen = NULL;
    unsigned len = 0;

    call(*state, &both);
    SSL_set_alpn_protos(both.ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    assert_true(shake(&both));
    SSL_get0_alpn_selected(both.ssl, &chosen, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    call(*state, &other);
    SSL_set_alpn_protos(other.ssl, (const unsigned char *)"\x02h2", 3);
    assert_false(shake(&other));
}

static void a_client_that_wants_to_renegotiate_is_not_followed(void **state)
{
    struct house *house = *state;
    AUTO(hang_up) struct caller caller = { 0 };
    AUTO(buf_clear) struct buf heard = { 0 };

    call(house, &caller);
    SSL_set_max_proto_version(caller.ssl, TLS1_2_VERSION);
    assert_true(shake(&caller));
    assert_true(is_served(&caller));
    assert_int_equal(SSL_renegotiate(caller.ssl), 1);
    assert_int_not_equal(SSL_do_handshake(caller.ssl), 1);
    (void)hear(&caller, &heard, 1);
    assert_int_not_equal(SSL_do_handshake(caller.ssl), 1);
}

/* --- Names -------------------------------------------------------------------- */

static void the_name_that_a_client_asks_for_picks_the_certificate(void **state)
{
    static const struct {
        const char *asked;
        const struct party *shown;
    } cases[] = { { NULL, &server_a },          { "b.example", &server_b },   { "B.Example", &server_b },
                  { "c.example", &server_a },   { "x.b.example", &server_a }, { "one.wild.example", &client },
                  { "wild.example", &server_a }, { "a.one.wild.example", &server_a } };
    struct house *house = *state;

    assert_int_equal(put(house, 2, &client, "*.wild.example", HTTP_CLIENT_CERTIFICATES_NONE), OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(hang_up) struct caller caller = { 0 };
        call(house, &caller);
        if (cases[i].asked)
            SSL_set_tlsext_host_name(caller.ssl, cases[i].asked);
        assert_true(shake(&caller));
        assert_true(shows(&caller, cases[i].shown));
        assert_true(is_served(&caller));
    }
    assert_string_equal(house->server_name, "a.one.wild.example");
}

static void a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on(void **state)
{
    struct house *house = *state;
    AUTO(hang_up) struct caller before = { 0 };
    AUTO(hang_up) struct caller after = { 0 };

    call(house, &before);
    assert_true(shake(&before));
    assert_true(shows(&before, &server_a));
    assert_int_equal(put(house, 0, &server_b, NULL, HTTP_CLIENT_CERTIFICATES_NONE), OK);
    assert_true(is_served(&before));
    call(house, &after);
    assert_true(shake(&after));
    assert_true(shows(&after, &server_b));
}

static void an_identity_that_is_not_right_changes_nothing(void **state)
{
    struct house *house = *state;
    AUTO(hang_up) struct caller caller = { 0 };
    const struct party crossed = { .cert_pem = server_a.cert_pem, .key_pem = server_b.key_pem };
    const struct party empty = { 0 };
    struct http_tls_identity without_anchors = { .label = "tls test",
                                                 .certificate = buf_span(&server_b.cert_pem),
                                                 .key = buf_span(&server_b.key_pem),
                                                 .client_certificates = HTTP_CLIENT_CERTIFICATES_REQUIRED };

    assert_int_equal(put(house, 0, &crossed, NULL, HTTP_CLIENT_CERTIFICATES_NONE), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "tls test: the key is not that of the certificate"));
    assert_int_equal(put(house, 0, &empty, NULL, HTTP_CLIENT_CERTIFICATES_NONE), BAD_INPUT);
    assert_int_equal(http_tls_put(house->tls, 0, &without_anchors), BAD_INPUT);
    call(house, &caller);
    assert_true(shake(&caller));
    assert_true(shows(&caller, &server_a));
}

static void a_server_that_has_no_certificate_yet_ends_the_handshake(void **state)
{
    struct house *house = *state;
    AUTO(hang_up) struct caller caller = { 0 };

    http_server_free(house->server);
    http_tls_free(house->tls);
    int listener = -1;
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", house->port);
    assert_int_equal(http_tls_new(&house->tls), OK);
    assert_int_equal(http_listen(address, &listener), OK);
    const struct http_limits limits = { .body_bytes = 1, .header_bytes = 8192, .header_timeout_s = 1,
                                        .body_timeout_s = 1, .connections = 4 };
    assert_int_equal(http_server_new(house->base, NULL, 0, &limits, handle, house, &house->server), OK);
    assert_int_equal(http_server_listen_tls(house->server, &listener, 1, house->tls), OK);
    call(house, &caller);
    assert_false(shake(&caller));
}

/* --- Client certificates --------------------------------------------------------- */

/* Served with this certificate, or none, in this mode? */
static bool is_served_as(struct house *house, enum http_client_certificates mode, const struct party *party)
{
    AUTO(hang_up) struct caller caller = { 0 };

    assert_int_equal(put(house, 0, &server_a, NULL, mode), OK);
    call(house, &caller);
    if (party)
        use_certificate(&caller, party);
    return shake(&caller) && is_served(&caller);
}

static void client_certificates_are_taken_as_the_identity_says(void **state)
{
    struct house *house = *state;

    assert_true(is_served_as(house, HTTP_CLIENT_CERTIFICATES_NONE, &client));
    assert_int_equal(house->peer.len, 0);
    assert_true(is_served_as(house, HTTP_CLIENT_CERTIFICATES_OPTIONAL, NULL));
    assert_int_equal(house->peer.len, 0);
    assert_true(is_served_as(house, HTTP_CLIENT_CERTIFICATES_OPTIONAL, &client));
    assert_true(span_equal(buf_span(&house->peer), cert_get_der(client.cert)));
    assert_false(is_served_as(house, HTTP_CLIENT_CERTIFICATES_OPTIONAL, &stranger));
    assert_false(is_served_as(house, HTTP_CLIENT_CERTIFICATES_REQUIRED, NULL));
    assert_false(is_served_as(house, HTTP_CLIENT_CERTIFICATES_REQUIRED, &stranger));
    assert_true(is_served_as(house, HTTP_CLIENT_CERTIFICATES_REQUIRED, &client));
    assert_true(span_equal(buf_span(&house->peer), cert_get_der(client.cert)));
}

/* --- Sessions ------------------------------------------------------------------------ */

/* Come again with the session of the last call; does the server take it up? */
static bool is_resumed(struct house *house, int version, SSL_SESSION **session, const char *name)
{
    AUTO(hang_up) struct caller caller = { 0 };

    call(house, &caller);
    SSL_set_max_proto_version(caller.ssl, version);
    if (name)
        SSL_set_tlsext_host_name(caller.ssl, name);
    if (*session)
        SSL_set_session(caller.ssl, *session);
    assert_true(shake(&caller));
    assert_true(is_served(&caller));
    const bool resumed = SSL_session_reused(caller.ssl);
    SSL_SESSION_free(*session);
    *session = SSL_get1_session(caller.ssl);
    SSL_shutdown(caller.ssl);
    return resumed;
}

static void a_ticket_resumes_a_session_until_the_key_changes(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    static const uint8_t key[HTTP_TLS_TICKET_KEY_BYTES] = { 1 };
    static const uint8_t another[HTTP_TLS_TICKET_KEY_BYTES] = { 2 };
    struct house *house = *state;

    assert_int_equal(http_tls_set_ticket_key(house->tls, span_of(key, 10)), BAD_INPUT);
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        SSL_SESSION *session = NULL;
        assert_int_equal(http_tls_set_ticket_key(house->tls, span_of(key, sizeof key)), OK);
        assert_false(is_resumed(house, versions[i], &session, NULL));
        assert_true(is_resumed(house, versions[i], &session, NULL));
        assert_int_equal(put(house, 0, &server_a, NULL, HTTP_CLIENT_CERTIFICATES_NONE), OK);
        assert_true(is_resumed(house, versions[i], &session, NULL));
        assert_int_equal(http_tls_set_ticket_key(house->tls, span_of(another, sizeof another)), OK);
        assert_false(is_resumed(house, versions[i], &session, NULL));
        SSL_SESSION_free(session);
    }
}

static void a_resumed_session_still_knows_the_clients_certificate(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct house *house = *state;

    assert_int_equal(put(house, 0, &server_a, NULL, HTTP_CLIENT_CERTIFICATES_REQUIRED), OK);
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        SSL_SESSION *session = NULL;
        for (unsigned times = 0; times < 2; times++) {
            AUTO(hang_up) struct caller caller = { 0 };
            call(house, &caller);
            SSL_set_max_proto_version(caller.ssl, versions[i]);
            if (times == 0)
                use_certificate(&caller, &client);
            else
                SSL_set_session(caller.ssl, session);
            assert_true(shake(&caller));
            assert_true(is_served(&caller));
            assert_int_equal(SSL_session_reused(caller.ssl), times);
            assert_true(span_equal(buf_span(&house->peer), cert_get_der(client.cert)));
            SSL_SESSION_free(session);
            session = SSL_get1_session(caller.ssl);
            SSL_shutdown(caller.ssl);
        }
        SSL_SESSION_free(session);
    }
}

static void a_session_of_one_name_is_not_taken_up_under_another_or_under_other_rules(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct house *house = *state;

    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        SSL_SESSION *session = NULL;
        assert_false(is_resumed(house, versions[i], &session, NULL));
        assert_false(is_resumed(house, versions[i], &session, "b.example"));
        assert_true(is_resumed(house, versions[i], &session, "b.example"));
        assert_int_equal(put(house, 1, &server_b, "b.example", HTTP_CLIENT_CERTIFICATES_NONE), OK);
        assert_false(is_resumed(house, versions[i], &session, "b.example"));
        assert_int_equal(put(house, 1, &server_b, "b.example", HTTP_CLIENT_CERTIFICATES_OPTIONAL), OK);
        SSL_SESSION_free(session);
    }
}

/* --- Bytes ------------------------------------------------------------------------------ */

static void a_body_of_many_records_arrives_whole_both_ways(void **state)
{
    AUTO(hang_up) struct caller caller = { 0 };
    AUTO(buf_clear) struct buf request = { 0 };
    AUTO(buf_clear) struct buf heard = { 0 };

    call(*state, &caller);
    assert_true(shake(&caller));
    assert_int_equal(buf_append_text(&request, "POST /a HTTP/1.1\r\nContent-Length: 60000\r\n\r\n"), OK);
    memset(buf_reserve(&request, 60000), 'x', 60000);
    request.len += 60000;
    assert_true(say(&caller, buf_span(&request)));
    assert_int_equal(hear(&caller, &heard, 60000), SSL_ERROR_NONE);
    heard.len = 0;
    assert_true(say(&caller, SPAN_LITERAL("GET /big HTTP/1.1\r\nConnection: close\r\n\r\n")));
    assert_int_equal(hear(&caller, &heard, SIZE_MAX), SSL_ERROR_ZERO_RETURN); /* close_notify */
    assert_true(heard.len > BIG_BYTES);
}

static void pipelined_requests_in_one_record_are_all_answered(void **state)
{
    struct house *house = *state;
    AUTO(hang_up) struct caller caller = { 0 };
    AUTO(buf_clear) struct buf many = { 0 };
    AUTO(buf_clear) struct buf heard = { 0 };

    call(house, &caller);
    assert_true(shake(&caller));
    for (int i = 0; i < 300; i++)
        assert_int_equal(buf_append_text(&many, "GET /a HTTP/1.1\r\nUser-Agent: 0123456789\r\n\r\n"), OK);
    assert_true(many.len > 12000 && many.len < 16384);
    assert_true(say(&caller, buf_span(&many)));
    (void)hear(&caller, &heard, (size_t)300 * 60);
    for (int i = 0; i < 100 && house->served < 300; i++)
        turn(house);
    assert_int_equal(house->served, 300);
}

static void a_handshake_that_takes_too_long_is_cut_off_and_its_time_counts_for_the_head(void **state)
{
    struct house *house = *state;
    AUTO(hang_up) struct caller mute = { 0 };
    AUTO(hang_up) struct caller late = { 0 };
    AUTO(buf_clear) struct buf heard = { 0 };
    char byte;

    call(house, &mute);
    call(house, &late);
    const int64_t start_ms = clock_monotonic_ms();
    while (clock_monotonic_ms() < start_ms + HEAD_TIME_MS / 2)
        turn(house);
    assert_true(shake(&late)); /* half of its time is left */
    assert_true(say(&late, SPAN_LITERAL("GET /a HT")));
    (void)hear(&late, &heard, 12);
    assert_memory_equal(heard.ptr, "HTTP/1.1 408", 12);
    assert_true(clock_monotonic_ms() < start_ms + HEAD_TIME_MS * 3 / 2); /* not the whole time anew */
    while (clock_monotonic_ms() < start_ms + HEAD_TIME_MS * 3 / 2)
        turn(house);
    assert_int_equal(recv(mute.fd, &byte, 1, MSG_DONTWAIT), 0);
}

static void what_is_no_tls_is_closed(void **state)
{
    struct house *house = *state;
    AUTO(hang_up) struct caller caller = { 0 };
    char heard[64];
    ssize_t n = -1;

    call(house, &caller);
    assert_true(send(caller.fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", 28, 0) == 28);
    for (int i = 0; i < 1000 && n != 0 && !(n < 0 && errno == ECONNRESET); i++) {
        turn(house);
        n = recv(caller.fd, heard, sizeof heard, MSG_DONTWAIT);
    }
    assert_true(n == 0 || errno == ECONNRESET);
    assert_int_equal(house->served, 0);
}

/* --- Our client --------------------------------------------------------------------------- */

static pid_t serve_in_child(struct house *house)
{
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    event_reinit(house->base);
    event_base_loop(house->base, EVLOOP_NO_EXIT_ON_EMPTY);
    _exit(0);
}

/* How a request ends with that trust: a pin, or else a file with this certificate, or else the system's. */
static enum status ask(struct house *house, const char *host, const struct party *pinned, const struct party *filed)
{
    AUTO(http_client_freep) struct http_client *http = NULL;
    AUTO(http_answer_clear) struct http_answer out = { 0 };
    uint8_t pin[SHA256_BYTES];
    char url[64], path[] = "/tmp/muster-tls-XXXXXX";

    const int fd = mkstemp(path);
    assert_int_equal(http_client_new(5, 65536, &http), OK);
    if (pinned) {
        cert_fingerprint(pinned->cert, pin);
        assert_int_equal(http_client_trust_pin(http, span_of(pin, sizeof pin)), OK);
    } else if (filed) {
        assert_int_equal(file_write_all(fd, buf_span(&filed->cert_pem)), OK);
        assert_int_equal(http_client_trust_file(http, path), OK);
    }
    snprintf(url, sizeof url, "https://%s:%u/a", host, house->port);
    const enum status status = http_client_request(http, url, NULL, span_of(NULL, 0), &out);
    close(fd);
    unlink(path);
    return status;
}

static void the_client_believes_whom_it_was_told_to_and_nobody_else(void **state)
{
    struct house *house = *state;
    const pid_t pid = serve_in_child(house);

    assert_int_equal(ask(house, "127.0.0.1", &root, NULL), OK);
    assert_int_equal(ask(house, "127.0.0.1", NULL, &root), OK);
    assert_int_equal(ask(house, "127.0.0.1", &stranger_root, NULL), BAD_PROOF);
    assert_int_equal(ask(house, "127.0.0.1", NULL, &stranger_root), BAD_PROOF);
    assert_int_equal(ask(house, "127.0.0.1", NULL, NULL), BAD_PROOF);
    assert_int_equal(ask(house, "127.0.0.1", &server_a, NULL), BAD_PROOF); /* a pin is for a CA */
    assert_int_equal(ask(house, "localhost", &root, NULL), BAD_PROOF);     /* another name */
    assert_non_null(strstr(fail_text(), "check the URL's host"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_HOUSE(tls_1_2_and_1_3_are_served_and_nothing_older),
        IN_HOUSE(suites_without_forward_secrecy_or_aead_are_refused),
        IN_HOUSE(http_1_1_is_agreed_upon_and_another_protocol_is_not),
        IN_HOUSE(a_client_that_wants_to_renegotiate_is_not_followed),
        IN_HOUSE(the_name_that_a_client_asks_for_picks_the_certificate),
        IN_HOUSE(a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on),
        IN_HOUSE(an_identity_that_is_not_right_changes_nothing),
        IN_HOUSE(a_server_that_has_no_certificate_yet_ends_the_handshake),
        IN_HOUSE(client_certificates_are_taken_as_the_identity_says),
        IN_HOUSE(a_ticket_resumes_a_session_until_the_key_changes),
        IN_HOUSE(a_resumed_session_still_knows_the_clients_certificate),
        IN_HOUSE(a_session_of_one_name_is_not_taken_up_under_another_or_under_other_rules),
        IN_HOUSE(a_body_of_many_records_arrives_whole_both_ways),
        IN_HOUSE(pipelined_requests_in_one_record_are_all_answered),
        IN_HOUSE(a_handshake_that_takes_too_long_is_cut_off_and_its_time_counts_for_the_head),
        IN_HOUSE(what_is_no_tls_is_closed),
        IN_HOUSE(the_client_believes_whom_it_was_told_to_and_nobody_else),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, make_parties, clear_parties);
}
