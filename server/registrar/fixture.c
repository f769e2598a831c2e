/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/fixture.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/test.h"
#include "lib/scep/scep.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEYS_MAX 6
#define YEAR_S INT64_C(31536000)

struct private_key *fixture_key(unsigned number)
{
    static struct private_key *keys[KEYS_MAX];

    assert_true(number < KEYS_MAX);
    if (!keys[number])
        assert_int_equal(private_key_generate((struct key_spec){ KEY_EC_P256, 256 }, &keys[number]), OK);
    return keys[number];
}

/* --- Making the house ------------------------------------------------------------------- */

static void make_ca(struct fixture *f)
{
    AUTO(buf_clear) struct buf name = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(buf_clear) struct buf pem = { 0 };
    const uint8_t serial[] = { 1 };

    f->ca_key = fixture_key(KEYS_MAX - 1);
    assert_int_equal(name_parse_text("CN=Issuing CA", &name), OK);
    const struct cert_content content = {
        .serial = span_of(serial, sizeof serial),
        .subject = buf_span(&name),
        .spki = public_key_get_spki(private_key_get_public(f->ca_key)),
        .not_before_s = FIXTURE_NOW_S - 10 * YEAR_S,
        .not_after_s = FIXTURE_NOW_S + 10 * YEAR_S,
        .key_usage = KEY_USAGE_KEY_CERT_SIGN,
        .is_ca = true,
        .path_length = PATH_LENGTH_NONE,
    };
    assert_int_equal(cert_issue(&content, NULL, f->ca_key, &der), OK);
    assert_int_equal(cert_parse(buf_span(&der), &f->ca), OK);
    assert_int_equal(cert_append_pem(f->ca, &pem), OK);
    assert_int_equal(file_create(f->config->authorities[0].certificate, buf_span(&pem), 0600), OK);
}

static void set_template(struct template *t, const char *name)
{
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(t->subject, sizeof t->subject, "CN=%%{name}");
    snprintf(t->san[0], sizeof t->san[0], "DNS:%%{name}.example.org");
    t->san_count = 1;
    t->key_usage = KEY_USAGE_DIGITAL_SIGNATURE;
    t->keys[0] = (struct key_range){ KEY_EC_P256, 256, 256 };
    t->keys[1] = (struct key_range){ KEY_RSA, 3072, 4096 };
    t->keys_count = 2;
    t->lifetime_s = YEAR_S;
    t->backdate_s = 300;
}

/* Two paths of one CA: "factory" gives out "device", "lab" gives out "tester". */
static void make_config(struct fixture *f)
{
    static const char *const templates[] = { "device", "tester" };
    static const char *const paths[] = { "factory", "lab" };
    struct config *config = calloc(1, sizeof *config);

    assert_non_null(config);
    f->config = config;
    snprintf(config->directory, sizeof config->directory, "%s", f->directory);
    snprintf(config->public_url, sizeof config->public_url, "http://ca.example.org:8080");
    config->password_lifetime_s = 86400;
    config->password_tries = 10;
    config->pending_lifetime_s = 30 * 86400;
    config->authorities_count = 1;
    snprintf(config->authorities[0].name, CONFIG_NAME_BYTES, "issuing");
    snprintf(config->authorities[0].certificate, PATH_MAX, "%s/ca.pem", f->directory);
    for (size_t i = 0; i < 2; i++) {
        set_template(&config->templates[i], templates[i]);
        snprintf(config->paths[i].name, CONFIG_NAME_BYTES, "%s", paths[i]);
        config->paths[i].templates[0] = i;
        config->paths[i].templates_count = 1;
        config->paths[i].username_forms[0] = USERNAME_DNS;
        config->paths[i].username_forms_count = 1;
        config->paths[i].authenticators[0] = AUTHENTICATOR_PASSWORD;
        config->paths[i].authenticators[1] = AUTHENTICATOR_CERTIFICATE;
        config->paths[i].authenticators_count = 2;
    }
    config->templates_count = 2;
    config->paths_count = 2;
}

static enum status catch(void *context, enum ipc_role to, uint32_t number, const struct ipc_message *message);

void fixture_start(struct fixture *f)
{
    char key[300];

    snprintf(key, sizeof key, "%s/credential.key", f->directory);
    assert_int_equal(store_open(f->ledger, &f->store), OK);
    assert_int_equal(rules_load(f->config, f->store, key, &f->registrar.rules), OK);
    f->registrar.store = f->store;
    f->registrar.outlet = (struct outlet){ catch, f };
    assert_int_equal(registrar_init(&f->registrar, f->now_s), OK);
}

void fixture_stop(struct fixture *f)
{
    registrar_clear(&f->registrar);
    memset(&f->registrar, 0, sizeof f->registrar);
    store_free(f->store);
    f->store = NULL;
    f->to_signer.len = 0;
}

int fixture_set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *temporary = getenv("TMPDIR");

    assert_non_null(f);
    log_init("test", LOG_ERROR);
    f->now_s = FIXTURE_NOW_S;
    snprintf(f->directory, sizeof f->directory, "%s/muster-registrar-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->ledger, sizeof f->ledger, "%s/ledger.db", f->directory);
    make_config(f);
    make_ca(f);
    fixture_start(f);
    *state = f;
    return 0;
}

int fixture_tear_down(void **state)
{
    static const char *const files[] = { "ledger.db", "ledger.db-wal", "credential.key", "ca.pem", "control.sock" };
    struct fixture *f = *state;
    char path[300];

    const enum status chain = store_event_verify(f->store);
    fixture_stop(f);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", f->directory, files[i]);
        unlink(path);
    }
    rmdir(f->directory);
    for (size_t i = 0; i < f->decisions_count; i++) {
        buf_clear(&f->decisions[i].certificate);
        buf_clear(&f->decisions[i].password);
    }
    for (size_t i = 0; i < FIXTURE_JOURNAL_MAX; i++) /* a test may have cut the journal */
        buf_clear(&f->journal[i].certificate);
    buf_clear(&f->to_signer);
    cert_free(f->ca);
    free(f->config);
    free(f);
    return chain == OK ? 0 : -1;
}

void fixture_restart(struct fixture *f)
{
    fixture_stop(f);
    fixture_start(f);
}

/* --- What the registrar sends -------------------------------------------------------------- */

static enum status catch(void *context, enum ipc_role to, uint32_t number, const struct ipc_message *message)
{
    struct fixture *f = context;

    if (to == IPC_SIGNER)
        return ipc_pack(message, &f->to_signer);
    assert_int_equal(message->kind, IPC_KIND_decision);
    assert_true(f->decisions_count < FIXTURE_DECISIONS_MAX);
    struct fixture_decision *decision = &f->decisions[f->decisions_count++];
    decision->responder = number;
    decision->exchange = message->decision.exchange;
    decision->status = (enum status)message->decision.status;
    decision->fail_info = message->decision.fail_info;
    decision->retry_after_s = message->decision.retry_after_s;
    assert_int_equal(span_to_text(message->decision.text, decision->text, sizeof decision->text), OK);
    TRY(buf_set(&decision->password, message->decision.password));
    return buf_set(&decision->certificate, message->decision.certificate);
}

/* Let the registrar take a message in a transaction of its own. */
static void give(struct fixture *f, enum ipc_role from, uint32_t number, const struct ipc_message *message)
{
    assert_int_equal(store_begin(f->store), OK);
    assert_int_equal(registrar_take(&f->registrar, from, number, message, f->now_s), OK);
    assert_int_equal(store_commit(f->store), OK);
}

/* --- The signer ------------------------------------------------------------------------------ */

static size_t find_record(const struct fixture *f, struct span serial)
{
    for (size_t i = 0; i < f->journal_count; i++)
        if (span_equal(serial, span_of(f->journal[i].serial, sizeof f->journal[i].serial)))
            return i;
    return f->journal_count;
}

static void sign(struct fixture *f, const struct ipc_issue *issue)
{
    const struct cert_content content = {
        .serial = issue->serial,
        .subject = issue->subject,
        .subject_alt_name = issue->san,
        .spki = issue->spki,
        .not_before_s = issue->not_before_s,
        .not_after_s = issue->not_after_s,
        .key_usage = KEY_USAGE_DIGITAL_SIGNATURE,
    };

    assert_true(f->journal_count < FIXTURE_JOURNAL_MAX);
    struct fixture_record *record = &f->journal[f->journal_count++];
    memcpy(record->serial, issue->serial.ptr, sizeof record->serial);
    assert_int_equal(span_to_text(issue->authority, record->authority, sizeof record->authority), OK);
    assert_int_equal(span_to_text(issue->template, record->template, sizeof record->template), OK);
    assert_int_equal(span_to_text(issue->device, record->device, sizeof record->device), OK);
    assert_int_equal(cert_issue(&content, f->ca, f->ca_key, &record->certificate), OK);
}

static void work_issue(struct fixture *f, const struct ipc_message *message)
{
    const struct ipc_issue *issue = &message->issue;
    struct ipc_message answer = { .kind = IPC_KIND_issued, .fd = -1, .issued.enrolment = issue->enrolment };

    f->issues_count++;
    const size_t at = find_record(f, issue->serial);
    if (f->signer_refuses) {
        answer.issued.status = REFUSED;
        answer.issued.reason = SPAN_LITERAL("out of order");
    } else {
        if (at == f->journal_count)
            sign(f, issue);
        answer.issued.certificate = buf_span(&f->journal[at].certificate);
        answer.issued.sequence = (int64_t)at + 1;
    }
    if (!f->signer_loses)
        give(f, IPC_SIGNER, 0, &answer);
}

static void send_record(struct fixture *f, const struct fixture_record *record, int64_t sequence)
{
    const struct ipc_message message = {
        .kind = IPC_KIND_journal_record,
        .fd = -1,
        .journal_record = { .sequence = sequence,
                            .authority = span_of_text(record->authority),
                            .template = span_of_text(record->template),
                            .device = span_of_text(record->device),
                            .certificate = buf_span(&record->certificate) },
    };

    give(f, IPC_SIGNER, 0, &message);
}

static void work_journal_read(struct fixture *f, const struct ipc_message *message)
{
    const struct ipc_message end = {
        .kind = IPC_KIND_journal_end, .fd = -1, .journal_end.sequence = (int64_t)f->journal_count
    };
    int64_t sequence = 0;

    for (const struct fixture_record *record = f->journal; record < f->journal + f->journal_count; record++)
        if (++sequence > message->journal_read.after)
            send_record(f, record, sequence);
    give(f, IPC_SIGNER, 0, &end);
}

void fixture_signer_works(struct fixture *f)
{
    AUTO(buf_clear) struct buf frame = { 0 };
    struct ipc_message message;
    size_t used = 0;

    while (f->to_signer.len) {
        assert_int_equal(ipc_unpack(buf_span(&f->to_signer), &message, &used), OK);
        assert_int_equal(buf_set(&frame, span_of(f->to_signer.ptr, used)), OK);
        buf_consume(&f->to_signer, used);
        assert_int_equal(ipc_unpack(buf_span(&frame), &message, &used), OK);
        if (message.kind == IPC_KIND_issue)
            work_issue(f, &message);
        else
            work_journal_read(f, &message);
    }
}

void fixture_signer_comes(struct fixture *f)
{
    assert_int_equal(registrar_peer_came(&f->registrar, IPC_SIGNER), OK);
    fixture_signer_works(f);
}

void fixture_signer_goes(struct fixture *f)
{
    f->to_signer.len = 0;
    registrar_peer_went(&f->registrar, IPC_SIGNER, 0);
}

/* --- Requests ------------------------------------------------------------------------------------ */

static void build_csr(const struct fixture_request *request, struct buf *csr)
{
    AUTO(buf_clear) struct buf subject = { 0 };

    assert_int_equal(name_parse_text(request->subject ? request->subject : "", &subject), OK);
    const struct csr_content content = { .subject = buf_span(&subject) };
    assert_int_equal(csr_build(&content, fixture_key(request->key), DIGEST_SHA256, csr), OK);
}

void fixture_send(struct fixture *f, const struct fixture_request *request)
{
    AUTO(buf_clear) struct buf csr = { 0 };

    build_csr(request, &csr);
    const struct ipc_message message = {
        .kind = IPC_KIND_enrol,
        .fd = -1,
        .enrol = { .exchange = request->exchange,
                   .path = span_of_text(request->path ? request->path : "factory"),
                   .message_type = request->message_type ? request->message_type : SCEP_PKCS_REQ,
                   .transaction = span_of_text(request->transaction ? request->transaction : "t1"),
                   .csr = buf_span(&csr),
                   .username = span_of_text(request->username),
                   .username_kind = span_of_text(request->username_kind ? request->username_kind : "dns"),
                   .password = span_of_text(request->password),
                   .proof = request->proof,
                   .address = SPAN_LITERAL("192.0.2.7") },
    };
    give(f, IPC_RESPONDER, request->responder, &message);
}

struct fixture_decision *fixture_ask(struct fixture *f, const struct fixture_request *request)
{
    const size_t before = f->decisions_count;

    fixture_send(f, request);
    if (f->registrar.signer_connected)
        fixture_signer_works(f);
    return f->decisions_count > before ? &f->decisions[f->decisions_count - 1] : NULL;
}

struct fixture_request fixture_first(const char *username, const char *password)
{
    return (struct fixture_request){ .username = username, .password = password };
}

struct fixture_request fixture_renewal(const struct fixture_decision *of, unsigned key)
{
    return (struct fixture_request){ .message_type = SCEP_RENEWAL_REQ, .transaction = "t2", .key = key,
                                     .subject = "CN=gw-1", .proof = buf_span(&of->certificate) };
}

const struct fixture_decision *fixture_enrolled(struct fixture *f, const char *name, unsigned key,
                                                char password[CREDENTIAL_GENERATED_BYTES])
{
    fixture_add_device(f, name, password);
    const struct fixture_request request = { .username = name, .password = password, .key = key };
    const struct fixture_decision *decision = fixture_ask(f, &request);
    assert_non_null(decision);
    assert_int_equal(decision->status, OK);
    return decision;
}

static void assert_says(const char *text, const char *words)
{
    if (!strstr(text, words))
        print_error("\"%s\" does not say \"%s\"\n", text, words);
    assert_non_null(strstr(text, words));
}

void fixture_assert_refused(const struct fixture_decision *decision, enum scep_fail_info info, const char *words)
{
    assert_non_null(decision);
    assert_int_equal(decision->status, REFUSED);
    assert_int_equal(decision->fail_info, info);
    assert_int_equal(decision->certificate.len, 0);
    assert_says(decision->text, words);
}

bool fixture_same_certificate(const struct fixture_decision *a, const struct fixture_decision *b)
{
    return a->certificate.len && span_equal(buf_span(&a->certificate), buf_span(&b->certificate));
}

/* --- Commands ---------------------------------------------------------------------------------------- */

static enum status collect_row(void *context, json_t *row)
{
    assert_non_null(row);
    json_array_append_new(context, row);
    return OK;
}

static json_t *collect_rows(struct fixture *f, struct listing *listing)
{
    json_t *rows = json_array();

    listing->send_row = collect_row;
    listing->context = rows;
    while (!listing->ended)
        assert_int_equal(listing->page(&f->registrar, listing, f->now_s), OK);
    return rows;
}

enum status fixture_command(struct fixture *f, const char *command, json_t **answer)
{
    struct call call = { .registrar = &f->registrar, .now_s = f->now_s };
    char text[1024];

    snprintf(text, sizeof text, "%s", command);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *request = json_loads(text, 0, NULL);
    assert_non_null(request);
    assert_int_equal(store_begin(f->store), OK);
    const enum status status = command_run(&call, request);
    assert_int_equal(store_commit(f->store), OK);
    if (status == OK && call.listing.page)
        call.answer = collect_rows(f, &call.listing);
    json_decref(request);
    if (answer)
        *answer = call.answer;
    else
        json_decref(call.answer);
    return status;
}

void fixture_add_device(struct fixture *f, const char *name, char password[CREDENTIAL_GENERATED_BYTES])
{
    char command[200];
    json_t *answer = NULL;

    snprintf(command, sizeof command, "{'command': 'device.add', 'name': '%s', 'template': 'device'}", name);
    assert_int_equal(fixture_command(f, command, NULL), OK);
    snprintf(command, sizeof command, "{'command': 'password.issue', 'device': '%s'}", name);
    assert_int_equal(fixture_command(f, command, &answer), OK);
    snprintf(password, CREDENTIAL_GENERATED_BYTES, "%s", json_string_value(json_object_get(answer, "password")));
    json_decref(answer);
}

void fixture_issue_lasting(struct fixture *f, const char *device, char password[CREDENTIAL_GENERATED_BYTES])
{
    char command[200];
    json_t *answer = NULL;

    snprintf(command, sizeof command, "{'command': 'password.issue', 'device': '%s', 'lasting': true}", device);
    assert_int_equal(fixture_command(f, command, &answer), OK);
    assert_true(json_is_true(json_object_get(answer, "lasting")));
    snprintf(password, CREDENTIAL_GENERATED_BYTES, "%s", json_string_value(json_object_get(answer, "password")));
    json_decref(answer);
}

void fixture_revoke(struct fixture *f, const struct fixture_decision *decision)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    char command[200];
    char serial[2 * CERT_SERIAL_MAX_BYTES + 1] = "";

    assert_int_equal(cert_parse(buf_span(&decision->certificate), &cert), OK);
    for (size_t i = 0; i < cert_get_serial(cert).len; i++)
        snprintf(serial + 2 * i, 3, "%02x", cert_get_serial(cert).ptr[i]);
    snprintf(command, sizeof command, "{'command': 'certificate.revoke', 'serial': '%s', 'reason': 'keyCompromise'}",
             serial);
    assert_int_equal(fixture_command(f, command, NULL), OK);
}

static enum status copy_event(void *context, const struct store_event *event)
{
    snprintf(context, 1400, "%.*s: %.*s", (int)event->kind.len, (const char *)event->kind.ptr, (int)event->text.len,
             (const char *)event->text.ptr);
    return OK;
}

const char *fixture_newest_event(struct fixture *f)
{
    static char text[1400];

    assert_int_equal(store_event_page(f->store, store_event_newest(f->store) - 1, 1, copy_event, text), OK);
    return text;
}

void fixture_assert_event(struct fixture *f, const char *words)
{
    assert_says(fixture_newest_event(f), words);
}
