/* SPDX-License-Identifier: Apache-2.0 */
#include "server/responder/handle.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "server/responder/limit.h"
#include "server/responder/route.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES 768
#define REASON_MAX_BYTES 1024           /* of msg.def's refusal */
#define BACKLOG_BYTES ((size_t)1 << 20) /* beyond it, refusals are logged only */
#define NO_FAIL_INFO 255

enum status responder_new(const struct config *config, struct responder **out)
{
    AUTO(responder_freep) struct responder *r = calloc(1, sizeof *r);

    if (!r)
        return fail(FAULT, "no memory for the responder");
    r->config = config;
    r->registrar = (struct ipc_channel){ .fd = -1, .passed_fd = -1 };
    TAILQ_INIT(&r->waiting);
    r->places_count = config->connections_max ? config->connections_max : 1;
    r->places = calloc(r->places_count, sizeof(struct enrolment *));
    if (!r->places)
        return fail(FAULT, "no memory for %zu exchanges", r->places_count);
    for (; r->endpoints_count < config->paths_count; r->endpoints_count++) {
        const struct config_path *path = &config->paths[r->endpoints_count];
        const enum status status = endpoint_load(config, path, &r->endpoints[r->endpoints_count]);
        if (status != OK)
            return fail_in(status, "path %s", path->name);
    }
    TRY(ca_files_load(config, &r->ca_files));
    *out = take(r);
    return OK;
}

static void forget(struct responder *r, struct enrolment *e)
{
    TAILQ_REMOVE(&r->waiting, e, link);
    r->places[(size_t)e->number % r->places_count] = NULL;
    enrolment_free(e);
}

void responder_free(struct responder *r)
{
    if (!r)
        return;
    while (!TAILQ_EMPTY(&r->waiting))
        forget(r, TAILQ_FIRST(&r->waiting));
    for (size_t i = 0; i < COUNT_OF(r->endpoints); i++)
        endpoint_clear(&r->endpoints[i]);
    ca_files_clear(&r->ca_files);
    ipc_channel_clear(&r->registrar);
    rates_close(r->rates);
    free(r->places);
    free(r);
}

/* --- Answers ------------------------------------------------------------ */

static void answer(struct http_exchange *exchange, const char *type, struct span body)
{
    http_exchange_reply(exchange,
                        &(struct http_response){ .status = 200, .content_type = type, .body = body });
}

/* `retry_after_s` 0: nothing is said about coming again. */
static void answer_text_later(struct http_exchange *exchange, int status, unsigned retry_after_s, const char *text)
{
    char line[TEXT_BYTES + 1];
    const int n = snprintf(line, TEXT_BYTES, "%s", text);
    size_t len = n < 0 ? 0 : n < TEXT_BYTES ? (size_t)n : TEXT_BYTES - 1;

    line[len++] = '\n';
    http_exchange_reply(exchange, &(struct http_response){ .status = status,
                                                           .content_type = "text/plain",
                                                           .body = span_of(line, len),
                                                           .retry_after_s = retry_after_s });
}

static void answer_text(struct http_exchange *exchange, int status, const char *text)
{
    answer_text_later(exchange, status, 0, text);
}

/* --- Questions to the registrar ----------------------------------------- */

/* What cannot be written at once waits in the channel for the event loop; a registrar that has gone
 * shows when the channel is read. */
static enum status send_message(struct responder *r, const struct ipc_message *message)
{
    TRY(ipc_channel_send(&r->registrar, message));
    (void)!ipc_channel_flush(&r->registrar);
    return OK;
}

/* What was refused here, for the registrar's record. */
struct refusal {
    const struct endpoint *endpoint;    /* NULL if the path is unknown */
    const struct scep_message *message; /* NULL if it could not be read */
    enum status status;
    unsigned fail_info;
    int http_status;
};

static struct span cut_to(struct span s, size_t most)
{
    return span_of(s.ptr, s.len < most ? s.len : most);
}

static void fill_refusal(const struct refusal *refusal, const struct http_request *request,
                         const char *reason, struct ipc_message *out)
{
    static const struct scep_header unread = { 0 };
    const struct scep_header *header = refusal->message ? scep_message_get_header(refusal->message) : &unread;

    *out = (struct ipc_message){
        .kind = IPC_KIND_refusal,
        .fd = -1,
        .refusal = {
            .path = span_of_text(refusal->endpoint ? refusal->endpoint->path->name : ""),
            .transaction = header->transaction,
            .message_type = (uint32_t)header->message_type,
            .status = (uint8_t)refusal->status,
            .fail_info = (uint8_t)refusal->fail_info,
            .http_status = (uint32_t)refusal->http_status,
            .reason = span_of_text(reason),
            .address = span_of_text(request->address),
            .user_agent = span_of_text(request->user_agent),
        },
    };
}

/* Exactly one record of each refusal; before the answer, which ends the exchange. */
static void record(struct responder *r, const struct http_request *request, const struct refusal *refusal,
                   const char *reason)
{
    struct ipc_message message;
    char why[REASON_MAX_BYTES + 1]; /* `reason` may be the text of the last failure, and sending may fail */

    snprintf(why, sizeof why, "%s", reason);
    fill_refusal(refusal, request, why, &message);
    const bool sent = r->registrar.fd >= 0 && r->registrar.out.len < BACKLOG_BYTES &&
                      send_message(r, &message) == OK;
    log_write(sent ? LOG_INFO : LOG_NOTICE, "refused: path \"%s\", from %s (%s): %s",
              refusal->endpoint ? refusal->endpoint->path->name : "", request->address, request->user_agent,
              why);
}

void responder_note_refused(struct responder *r, int http_status, const char *why, const char *address,
                            const char *user_agent)
{
    const struct refusal refusal = { .status = BAD_INPUT, .fail_info = NO_FAIL_INFO, .http_status = http_status };
    const struct http_request request = { .address = address, .user_agent = user_agent };

    record(r, &request, &refusal, why);
}

/* Refuse in plain HTTP, with the text of the last failure. */
static void refuse_plainly(struct responder *r, struct http_exchange *exchange,
                           const struct endpoint *endpoint, int http_status)
{
    char why[TEXT_BYTES];
    const struct refusal refusal = {
        .endpoint = endpoint, .status = BAD_INPUT, .fail_info = NO_FAIL_INFO, .http_status = http_status
    };

    snprintf(why, sizeof why, "%s", fail_text());
    record(r, http_exchange_get_request(exchange), &refusal, why);
    answer_text(exchange, http_status, why);
}

/* --- Too often -------------------------------------------------------------- */

/* Before anything of the request is looked at that costs more than this does. */
static bool is_too_many(struct responder *r, const struct endpoint *endpoint, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_get_request(exchange);
    const struct refusal refusal = {
        .endpoint = endpoint, .status = REFUSED, .fail_info = NO_FAIL_INFO, .http_status = 429
    };
    const char *whose = "";
    char why[128];

    const unsigned wait_s = limit_wait_s(r->rates, r->config, endpoint->path, request->address, &whose);
    if (!wait_s)
        return false;
    snprintf(why, sizeof why, "too many requests %s; try again in %u s", whose, wait_s);
    if (limit_is_event(r->rates, request->address))
        record(r, request, &refusal, why);
    answer_text_later(exchange, 429, wait_s, why);
    return true;
}

/* --- PKIOperation ------------------------------------------------------- */

static void answer_later(struct http_exchange *exchange, const char *why)
{
    char text[TEXT_BYTES];

    snprintf(text, sizeof text, "%s; try again in %d s", why, RESPONDER_RETRY_AFTER_S);
    answer_text_later(exchange, 503, RESPONDER_RETRY_AFTER_S, text);
}

static void answer_message(const struct enrolment *e, const struct enrolment_answer *answered)
{
    AUTO(buf_clear) struct buf body = { 0 };

    if (enrolment_reply(e, answered, &body) == OK) {
        answer(e->exchange, "application/x-pki-message", buf_span(&body));
        return;
    }
    log_write(LOG_ERROR, "path %s: cannot build a CertRep: %s", e->endpoint->path->name, fail_text());
    answer_text(e->exchange, 500, "the answer could not be built; the server's log says why");
}

static void answer_failure(const struct enrolment *e, enum scep_fail_info info, const char *text)
{
    answer_message(e,
                   &(struct enrolment_answer){ .pki_status = SCEP_FAILURE, .fail_info = info, .text = text });
}

static void refuse_enrolment(struct responder *r, const struct enrolment *e, enum status status)
{
    const struct refusal refusal = { .endpoint = e->endpoint,
                                     .message = e->message,
                                     .status = status,
                                     .fail_info = e->fail_info,
                                     .http_status = 200 };

    if (status == FAULT) {
        log_write(LOG_ERROR, "path %s: %s", e->endpoint->path->name, fail_text());
        answer_later(e->exchange, "the server cannot look at this now");
        return;
    }
    record(r, http_exchange_get_request(e->exchange), &refusal, fail_text());
    answer_failure(e, e->fail_info, e->told);
}

/* Give it a number whose place is free. */
static bool keep(struct responder *r, struct enrolment *e)
{
    for (size_t tries = 0; tries < r->places_count; tries++) {
        const int64_t number = r->next_number++;
        const size_t place = (size_t)number % r->places_count;
        if (r->places[place])
            continue;
        e->number = number;
        r->places[place] = e;
        e->deadline_ms = clock_monotonic_ms() + RESPONDER_WAIT_MS;
        TAILQ_INSERT_TAIL(&r->waiting, e, link);
        return true;
    }
    return false;
}

static enum status ask(struct responder *r, const struct enrolment *e)
{
    struct ipc_message message;

    if (r->registrar.fd < 0)
        return OK; /* responder_connect() will */
    enrolment_fill(e, &message);
    return send_message(r, &message);
}

static void enrol(struct responder *r, const struct endpoint *endpoint, struct http_exchange *exchange)
{
    AUTO(enrolment_freep) struct enrolment *e = NULL;
    AUTO(buf_clear) struct buf decoded = { .limit = SCEP_MESSAGE_MAX_BYTES };
    struct span der = { 0 };

    if (http_exchange_get_request(exchange)->method == HTTP_HEAD) {
        (void)fail(BAD_INPUT, "a PKIOperation by HEAD: GET and POST are served");
        refuse_plainly(r, exchange, endpoint, 405);
        return;
    }
    if (is_too_many(r, endpoint, exchange))
        return;
    if (enrolment_new(endpoint, exchange, &e) != OK) {
        answer_later(exchange, "the server has no memory left");
        return;
    }
    if (route_get_message(http_exchange_get_request(exchange), &decoded, &der) != OK ||
        enrolment_read(e, der) != OK) {
        refuse_plainly(r, exchange, endpoint, 400);
        return;
    }
    const enum status status = enrolment_prove(e);
    if (status != OK) {
        refuse_enrolment(r, e, status);
        return;
    }
    if (!keep(r, e)) {
        answer_later(exchange, "too many requests wait for a decision");
        return;
    }
    struct enrolment *kept = take(e);
    if (ask(r, kept) != OK) {
        refuse_enrolment(r, kept, FAULT);
        forget(r, kept);
    }
}

/* --- Routes ------------------------------------------------------------- */

static const struct endpoint *find_endpoint(const struct responder *r, struct span name)
{
    for (size_t i = 0; i < r->endpoints_count; i++)
        if (span_equal(name, span_of_text(r->endpoints[i].path->name)))
            return &r->endpoints[i];
    return NULL;
}

static void give_ca_cert(struct responder *r, const struct endpoint *endpoint, struct http_exchange *exchange)
{
    AUTO(buf_clear) struct buf identifier = { 0 };
    struct http_response response = { 0 };
    bool found = false;

    if (http_query_get(http_exchange_get_request(exchange)->query, "message", &found, &identifier) != OK)
        refuse_plainly(r, exchange, endpoint, 400);
    else if (distribute_ca_cert(endpoint, buf_span(&identifier), &response) != OK)
        refuse_plainly(r, exchange, endpoint, 404);
    else
        http_exchange_reply(exchange, &response);
}

static void handle_scep(struct responder *r, struct span name, struct http_exchange *exchange)
{
    const struct endpoint *endpoint = find_endpoint(r, name);
    enum route_operation operation;

    if (!endpoint) {
        (void)fail(BAD_INPUT,
                   "there is no enrolment path of that name; the URL is /scep/NAME, with a NAME that the "
                   "server's configuration has");
        refuse_plainly(r, exchange, NULL, 404);
        return;
    }
    if (route_get_operation(http_exchange_get_request(exchange), &operation) != OK) {
        refuse_plainly(r, exchange, endpoint, 400);
        return;
    }
    switch (operation) {
    case OPERATION_GET_CA_CAPS:
        answer(exchange, "text/plain", buf_span(&endpoint->capabilities));
        break;
    case OPERATION_GET_CA_CERT:
        give_ca_cert(r, endpoint, exchange);
        break;
    case OPERATION_PKI:
        enrol(r, endpoint, exchange);
        break;
    }
}

static void handle_ca_file(const struct responder *r, struct span name, struct http_exchange *exchange)
{
    const struct span der = ca_files_find(&r->ca_files, name);

    if (der.len)
        answer(exchange, "application/pkix-cert", der);
    else
        answer_text(exchange, 404, "there is no CA certificate of that name; the URL is /ca/NAME.cer");
}

void responder_handle(struct responder *r, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_get_request(exchange);
    const struct route route = route_find(request->path);

    log_write(LOG_INFO, "%.*s from %s (%s)%s%s%s%s%s", (int)cut_to(request->path, 128).len,
              (const char *)request->path.ptr, request->address, request->user_agent,
              request->tls_version[0] ? " by " : "", request->tls_version, request->server_name[0] ? " for " : "",
              request->server_name, request->peer_certificate.len ? " with a certificate" : "");
    switch (route.kind) {
    case ROUTE_SCEP:
        handle_scep(r, route.name, exchange);
        break;
    case ROUTE_CA_FILE:
        handle_ca_file(r, route.name, exchange);
        break;
    case ROUTE_HEALTH:
        if (r->registrar.fd >= 0)
            answer_text(exchange, 200, "ok");
        else
            answer_later(exchange, "the registrar is not connected");
        break;
    case ROUTE_UNKNOWN:
        answer_text(
            exchange, 404,
            "nothing here; the URL is /scep/NAME for enrolment and /ca/NAME.cer for a CA certificate");
        break;
    }
}

/* --- Decisions ---------------------------------------------------------- */

static enum scep_fail_info known_fail_info(uint8_t info)
{
    return info <= SCEP_BAD_CERT_ID ? (enum scep_fail_info)info : SCEP_BAD_REQUEST;
}

/* The registrar has counted, and recorded it. */
static void answer_too_many_decided(const struct enrolment *e, const char *text, unsigned wait_s)
{
    char why[ENROLMENT_TEXT_BYTES + 64];

    snprintf(why, sizeof why, "%s; try again in %u s", text, wait_s);
    answer_text_later(e->exchange, 429, wait_s, why);
}

static void answer_decision(const struct enrolment *e, const struct ipc_decision *decision)
{
    char text[ENROLMENT_TEXT_BYTES + 1];

    if (span_to_text(decision->text, text, sizeof text) != OK)
        text[0] = 0;
    switch ((enum status)decision->status) {
    case OK:
        answer_message(
            e, &(struct enrolment_answer){ .pki_status = SCEP_SUCCESS, .issued = decision->certificate,
                                           .password = decision->password });
        return;
    case PENDING:
        answer_message(e, &(struct enrolment_answer){ .pki_status = SCEP_PENDING });
        return;
    case BAD_INPUT:
    case BAD_PROOF:
    case REFUSED:
        if (decision->retry_after_s)
            answer_too_many_decided(e, text, decision->retry_after_s);
        else
            answer_failure(e, known_fail_info(decision->fail_info), text);
        return;
    case FAULT:
        break;
    }
    answer_later(e->exchange, text[0] ? text : "the server cannot decide this now");
}

/* One that came too late, or twice, has nobody left to hear it. */
static void decide(struct responder *r, const struct ipc_decision *decision)
{
    struct enrolment *e = decision->exchange < 0 ? NULL
                                                 : r->places[(size_t)decision->exchange % r->places_count];

    if (!e || e->number != decision->exchange)
        return;
    answer_decision(e, decision);
    forget(r, e);
}

void responder_expire(struct responder *r, int64_t now_ms)
{
    struct enrolment *e;

    while ((e = TAILQ_FIRST(&r->waiting)) && e->deadline_ms <= now_ms) {
        log_write(LOG_WARNING, "path %s: no decision within %d ms", e->endpoint->path->name,
                  RESPONDER_WAIT_MS);
        answer_later(e->exchange, "no decision yet");
        forget(r, e);
    }
}

/* --- The registrar's channel -------------------------------------------- */

enum status responder_connect(struct responder *r, int fd, uint32_t number)
{
    struct enrolment *e;

    ipc_channel_clear(&r->registrar);
    TRY(ipc_channel_init(&r->registrar, fd, IPC_RESPONDER, IPC_REGISTRAR, number));
    TAILQ_FOREACH(e, &r->waiting, link)
    TRY(ask(r, e));
    return OK;
}

void responder_disconnect(struct responder *r)
{
    ipc_channel_clear(&r->registrar);
}

enum status responder_listen(struct responder *r)
{
    struct ipc_message message;
    enum status status = ipc_channel_fill(&r->registrar);

    if (status == FAULT)
        responder_disconnect(r);
    if (status != OK)
        return status == PENDING ? OK : status;
    while ((status = ipc_channel_next(&r->registrar, &message)) == OK)
        decide(r, &message.decision); /* the one message that a registrar may send us */
    return status == PENDING ? OK : status;
}
