/* SPDX-License-Identifier: Apache-2.0 */
#include "server/responder/fixture.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DAY_S INT64_C(86400)

const struct wish plain_wish = { .challenge = "gw-17:secret" };

static struct world the_world;

void must(enum status status)
{
    if (status == OK)
        return;
    fprintf(stderr, "fixture: %s\n", fail_text());
    exit(2);
}

/* --- Certificates ------------------------------------------------------- */

struct wanted {
    const char *subject;
    const struct party *issuer; /* NULL: self-signed */
    struct private_key *key;    /* NULL: a new one */
    bool is_ca;
    bool is_bare; /* without extensions */
    int64_t from_s;
    int64_t to_s;
};

static void make_party(struct party *out, const struct wanted *wanted)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    uint8_t serial[CERT_SERIAL_MAX_BYTES];

    if (!wanted->key)
        must(private_key_generate((struct key_spec){ KEY_RSA, 2048 }, &out->key));
    struct private_key *key = wanted->key ? wanted->key : out->key;
    must(name_parse_text(wanted->subject, &subject));
    must(cert_serial_generate(serial));
    const struct cert_content content = {
        .serial = span_of(serial, sizeof serial),
        .subject = buf_span(&subject),
        .spki = public_key_get_spki(private_key_get_public(key)),
        .not_before_s = clock_now_s() + wanted->from_s,
        .not_after_s = clock_now_s() + wanted->to_s,
        .key_usage = wanted->is_ca ? KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN
                                   : KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_ENCIPHERMENT,
        .is_ca = wanted->is_ca,
        .path_length = PATH_LENGTH_NONE,
        .omit_extensions = wanted->is_bare,
    };
    must(cert_issue(&content, wanted->issuer ? wanted->issuer->cert : NULL,
                    wanted->issuer ? wanted->issuer->key : key, &out->der));
    must(cert_parse(buf_span(&out->der), &out->cert));
}

static void party_clear(struct party *party)
{
    private_key_free(party->key);
    cert_free(party->cert);
    buf_clear(&party->der);
}

static void make_parties(struct world *w)
{
    struct party foreign = { 0 };

    make_party(&w->root, &(struct wanted){ "CN=Test Root CA,O=Test", .is_ca = true, .from_s = -60 * DAY_S,
                                           .to_s = 900 * DAY_S });
    make_party(&w->issuing, &(struct wanted){ "CN=Test Issuing\\, CA,O=Test", &w->root, .is_ca = true,
                                              .from_s = -60 * DAY_S, .to_s = 800 * DAY_S });
    make_party(&w->ra, &(struct wanted){ "CN=Test RA", &w->issuing, .from_s = -DAY_S, .to_s = 300 * DAY_S });
    make_party(&w->ra_signing,
               &(struct wanted){ "CN=Test RA S", &w->issuing, .from_s = -DAY_S, .to_s = 300 * DAY_S });
    make_party(&w->client, &(struct wanted){ "CN=gw-17", .is_bare = true, .from_s = -DAY_S, .to_s = DAY_S });
    make_party(&w->renewing,
               &(struct wanted){ "CN=gw-17", &w->issuing, w->client.key, .from_s = -DAY_S, .to_s = DAY_S });
    make_party(&w->expired, &(struct wanted){ "CN=gw-17", &w->issuing, w->client.key, .from_s = -9 * DAY_S,
                                              .to_s = -DAY_S });
    make_party(&foreign, &(struct wanted){ "CN=Test Issuing\\, CA,O=Test", .is_ca = true,
                                           .from_s = -60 * DAY_S, .to_s = 800 * DAY_S });
    make_party(&w->stranger,
               &(struct wanted){ "CN=gw-17", &foreign, w->client.key, .from_s = -DAY_S, .to_s = DAY_S });
    make_party(&w->other, &(struct wanted){ "CN=gw-18", .is_bare = true, .from_s = -DAY_S, .to_s = DAY_S });
    party_clear(&foreign);
}

/* --- Files and configuration -------------------------------------------- */

static void write_file(const struct world *w, const char *name, struct span content)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", w->directory, name);
    must(file_create(path, content, 0600));
}

static void write_cert(const struct world *w, const char *name, const struct party *party)
{
    AUTO(buf_clear) struct buf pem = { 0 };

    must(cert_append_pem(party->cert, &pem));
    write_file(w, name, buf_span(&pem));
}

static void write_key(const struct world *w, const char *name, const struct party *party)
{
    AUTO(buf_clear) struct buf pem = { 0 };

    must(private_key_write_pem(party->key, &pem));
    write_file(w, name, buf_span(&pem));
}

static void make_directory(const struct world *w, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", w->directory, name);
    must(file_make_directory(path, 0700));
}

static void write_files(const struct world *w)
{
    make_directory(w, "authority");
    make_directory(w, "authority/root");
    make_directory(w, "authority/issuing");
    make_directory(w, "authority/empty");
    write_cert(w, "authority/root/cert.pem", &w->root);
    write_cert(w, "authority/issuing/cert.pem", &w->issuing);
    write_cert(w, "authority/issuing/chain.pem", &w->root);
    write_cert(w, "ra-cert.pem", &w->ra);
    write_key(w, "ra-key.pem", &w->ra);
    write_cert(w, "ra-signing-cert.pem", &w->ra_signing);
    write_key(w, "ra-signing-key.pem", &w->ra_signing);
}

static const char config_text[] =
    "public_url = \"http://127.0.0.1:8080\"\n"
    "connections_max = 64\n"
    "authority issuing { key = \"authority/issuing/key.pem\" certificate = \"authority/issuing/cert.pem\""
    " chain = \"authority/issuing/chain.pem\" }\n"
    "ra one { encryption_key = \"ra-key.pem\" encryption_certificate = \"ra-cert.pem\""
    " signing_key = \"ra-key.pem\" signing_certificate = \"ra-cert.pem\" }\n"
    "ra two { encryption_key = \"ra-key.pem\" encryption_certificate = \"ra-cert.pem\""
    " signing_key = \"ra-signing-key.pem\" signing_certificate = \"ra-signing-cert.pem\" }\n"
    "template device { subject = \"CN=%{name}\" }\n"
    "path device { authority = \"issuing\" ra = \"one\" templates = {\"device\"}"
    " username_forms = {\"dns\", \"challenge\"} }\n"
    "path old { authority = \"issuing\" ra = \"two\" templates = {\"device\"} allow_des3 = true allow_sha1 = "
    "true"
    " username_forms = {\"challenge\", \"email\", \"uri\"} reply = \"chain\" root_in_chain = false }\n";

struct world *world_get(void)
{
    struct world *w = &the_world;

    if (w->config)
        return w;
    snprintf(w->directory, sizeof w->directory, "/tmp/responder-test-XXXXXX");
    if (!mkdtemp(w->directory))
        must(fail(FAULT, "no temporary directory"));
    make_parties(w);
    write_files(w);
    write_file(w, "musterd.conf", SPAN_LITERAL(config_text));
    must(config_load(w->directory, &w->config));
    struct cert *cert = NULL;
    must(cert_parse(buf_span(&w->ra.der), &cert));
    must(cert_list_append(&w->ca_certs, cert));
    must(cert_parse(buf_span(&w->ra_signing.der), &cert));
    must(cert_list_append(&w->ca_certs, cert));
    return w;
}

static void remove_files(const struct world *w)
{
    static const char *const names[] = {
        "authority/root/cert.pem",
        "authority/issuing/cert.pem",
        "authority/issuing/chain.pem",
        "ra-cert.pem",
        "ra-key.pem",
        "ra-signing-cert.pem",
        "ra-signing-key.pem",
        "musterd.conf",
        "authority/root",
        "authority/issuing",
        "authority/empty",
        "authority",
        "",
    };
    char path[PATH_MAX];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", w->directory, names[i]);
        (void)remove(path);
    }
}

void world_free(void)
{
    struct world *w = &the_world;
    struct party *parties[] = { &w->root,     &w->issuing, &w->ra,       &w->ra_signing, &w->client,
                                &w->renewing, &w->expired, &w->stranger, &w->other };

    if (!w->config)
        return;
    remove_files(w);
    for (size_t i = 0; i < COUNT_OF(parties); i++)
        party_clear(parties[i]);
    cert_list_clear(&w->ca_certs);
    config_free(w->config);
    *w = (struct world){ 0 };
}

/* --- Messages ----------------------------------------------------------- */

static void build_csr(const struct world *w, const struct wish *wish, struct buf *out)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };

    must(name_parse_text("CN=gw-17", &subject));
    must(general_names_parse_text(wish->names, wish->names_count, &san));
    const struct csr_content content = {
        .subject = buf_span(&subject),
        .subject_alt_name = buf_span(&san),
        .challenge = span_of_text(wish->challenge),
    };
    must(csr_build(&content, wish->csr_key ? wish->csr_key : w->client.key, DIGEST_SHA256, out));
}

void world_message(const struct world *w, const struct wish *wish, struct buf *out)
{
    AUTO(buf_clear) struct buf csr = { 0 };
    const struct party *signer = wish->signer ? wish->signer : &w->client;

    build_csr(w, wish, &csr);
    const struct scep_request request = {
        .type = wish->type ? wish->type : SCEP_PKCS_REQ,
        .transaction = SPAN_LITERAL(FIXTURE_TRANSACTION),
        .sender_nonce = SPAN_LITERAL(FIXTURE_NONCE),
        .data = wish->plain.len ? wish->plain : buf_span(&csr),
        .signer = { signer->cert, signer->key ? signer->key : w->client.key },
        .recipient = wish->recipient ? wish->recipient : w->ra.cert,
        .cipher = SCEP_AES128_CBC,
        .digest = DIGEST_SHA256,
        .now_s = clock_now_s(),
    };
    must(scep_request_build(&request, out));
}

void world_open(const struct world *w, struct span der, struct scep_answer *out)
{
    const struct scep_expectation expect = {
        .transaction = SPAN_LITERAL(FIXTURE_TRANSACTION),
        .sender_nonce = SPAN_LITERAL(FIXTURE_NONCE),
        .ca_certs = &w->ca_certs,
        .recipient = { w->client.cert, w->client.key },
    };

    must(scep_reply_open(der, &expect, out));
}

/* --- Exchanges without HTTP --------------------------------------------- */

void exchange_init(struct http_exchange *exchange, enum http_method method, const char *path,
                   struct span query, struct span body)
{
    *exchange = (struct http_exchange){
        .request = {
            .method = method,
            .path = span_of_text(path),
            .query = query,
            .body = body,
            .address = "192.0.2.17",
            .user_agent = "tester/1",
            .tls_version = "",
            .server_name = "",
        },
    };
}

void exchange_clear(struct http_exchange *exchange)
{
    buf_clear(&exchange->body);
}

const struct http_request *http_exchange_get_request(const struct http_exchange *exchange)
{
    return &exchange->request;
}

void http_exchange_reply(struct http_exchange *exchange, const struct http_response *response)
{
    exchange->answers++;
    exchange->status = response->status;
    exchange->retry_after_s = response->retry_after_s;
    snprintf(exchange->content_type, sizeof exchange->content_type, "%s",
             response->content_type ? response->content_type : "");
    must(buf_set(&exchange->body, response->body));
}

/* --- The registrar ------------------------------------------------------ */

void registrar_connect(struct responder *responder, struct ipc_channel *registrar)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        must(fail(FAULT, "no socket pair"));
    must(ipc_channel_init(registrar, ends[0], IPC_REGISTRAR, IPC_RESPONDER, 0));
    must(responder_connect(responder, ends[1], 0));
}

bool registrar_next(struct ipc_channel *registrar, struct ipc_message *out)
{
    return ipc_channel_fill(registrar) != FAULT && ipc_channel_next(registrar, out) == OK;
}

void registrar_decide(struct responder *responder, struct ipc_channel *registrar,
                      const struct ipc_decision *decision)
{
    const struct ipc_message message = { .kind = IPC_KIND_decision, .fd = -1, .decision = *decision };

    must(ipc_channel_send(registrar, &message));
    must(ipc_channel_flush(registrar));
    must(responder_listen(responder));
}

/* --- A desk -------------------------------------------------------------- */

int desk_open(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);

    desk->world = world_get();
    must(responder_new(desk->world->config, &desk->responder));
    registrar_connect(desk->responder, &desk->registrar);
    *state = desk;
    return 0;
}

int desk_close(void **state)
{
    struct desk *desk = *state;

    responder_free(desk->responder);
    ipc_channel_clear(&desk->registrar);
    exchange_clear(&desk->exchange);
    buf_clear(&desk->sent);
    free(desk);
    return 0;
}

void desk_get(struct desk *desk, const char *path, const char *query)
{
    exchange_clear(&desk->exchange);
    exchange_init(&desk->exchange, HTTP_GET, path, span_of_text(query), span_of(NULL, 0));
    responder_handle(desk->responder, &desk->exchange);
}

void desk_post(struct desk *desk, const char *path, struct span body)
{
    exchange_clear(&desk->exchange);
    exchange_init(&desk->exchange, HTTP_POST, path, SPAN_LITERAL("operation=PKIOperation"), body);
    responder_handle(desk->responder, &desk->exchange);
}

void desk_post_wish(struct desk *desk, const char *path, const struct wish *wish)
{
    world_message(desk->world, wish, &desk->sent);
    desk_post(desk, path, buf_span(&desk->sent));
}

struct ipc_message desk_next_message(struct desk *desk, enum ipc_kind kind)
{
    struct ipc_message message;

    assert_true(registrar_next(&desk->registrar, &message));
    assert_int_equal(message.kind, kind);
    return message;
}

void assert_span(struct span s, const char *text)
{
    if (!span_equal(s, span_of_text(text)))
        print_error("found \"%.*s\"\n", (int)s.len, s.len ? (const char *)s.ptr : "");
    assert_true(span_equal(s, span_of_text(text)));
}

void desk_assert_says(struct desk *desk, const char *part)
{
    if (!strstr(buf_text(&desk->exchange.body), part))
        print_error("\"%s\" does not say \"%s\"\n", buf_text(&desk->exchange.body), part);
    assert_non_null(strstr(buf_text(&desk->exchange.body), part));
}

void desk_assert_refused(struct desk *desk, enum scep_fail_info info, const char *part)
{
    struct scep_answer answer = { 0 };

    assert_int_equal(desk->exchange.answers, 1);
    assert_int_equal(desk->exchange.status, 200);
    assert_string_equal(desk->exchange.content_type, "application/x-pki-message");
    world_open(desk->world, buf_span(&desk->exchange.body), &answer);
    assert_int_equal(answer.status, SCEP_FAILURE);
    if (answer.fail_info != (int)info || !strstr(answer.fail_info_text, part))
        print_error("failInfo %d, \"%s\"\n", answer.fail_info, answer.fail_info_text);
    assert_int_equal(answer.fail_info, info);
    assert_non_null(strstr(answer.fail_info_text, part));
    scep_answer_clear(&answer);
    const struct ipc_message message = desk_next_message(desk, IPC_KIND_refusal);
    assert_int_equal(message.refusal.fail_info, info);
    assert_int_equal(message.refusal.http_status, 200);
    assert_span(message.refusal.transaction, FIXTURE_TRANSACTION);
    assert_span(message.refusal.path, "device");
    assert_span(message.refusal.address, "192.0.2.17");
    assert_span(message.refusal.user_agent, "tester/1");
    assert_true(message.refusal.reason.len > 0);
}
