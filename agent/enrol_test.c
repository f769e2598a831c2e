/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole enrolments against a server that is linked in: an enrolment method of our own.
 */
#include "agent/attempt.h"
#include "agent/credential.h"
#include "agent/enrol.h"
#include "agent/fixture.h"
#include "agent/method.h"
#include "agent/pause.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/base/text.h"

#include <stdio.h>
#include <sys/stat.h>

/* --- The server -------------------------------------------------------------------------------------- */

/* What it answers to a request, and what it saw. */
static struct {
    enum status status;
    const char *subject;   /* of the certificate; NULL: as asked */
    const char *dns;
    bool is_ca;
    bool another_key;
    bool hides_root;       /* its chain has no root; it hands it out by itself */
    bool foreign;          /* it is somebody else's */
    unsigned requests;
    unsigned polls;          /* that came */
    unsigned pending_count;  /* how often it says PENDING to polls yet, before `status` */
    bool refuses_polls;      /* what it kept for them is gone; the request itself is answered */
    unsigned fault_count;    /* and before that, how often it is away */
    int64_t paused_ms;       /* the device's rests, all together */
    char transaction[ATTEMPT_TRANSACTION_BYTES];
    char challenge[64];
    char names[128];
    uint8_t key_hash[SHA256_BYTES];
} server;

static struct party root, issuing, ra, foreign_root;
static char folder[64];

static void forget_server(void)
{
    memset(&server, 0, sizeof server);
}

static enum status fake_open(const struct profile *profile, struct method_session **out)
{
    (void)profile;
    *out = NULL;
    return OK;
}

static void fake_close(struct method_session *session)
{
    (void)session;
}

static enum status fake_capabilities(struct method_session *session)
{
    (void)session;
    return OK;
}

static enum status fake_fetch_ca(struct method_session *session, const char *which, struct cert_list *out)
{
    (void)session;
    if (server.foreign)
        return cert_list_append(out, party_copy_cert(&foreign_root));
    if (which)
        return strcmp(which, "root") == 0 ? cert_list_append(out, party_copy_cert(&root)) : FAULT;
    TRY(cert_list_append(out, party_copy_cert(&ra)));
    TRY(cert_list_append(out, party_copy_cert(&issuing)));
    return server.hides_root ? OK : cert_list_append(out, party_copy_cert(&root));
}

static void remember(const struct method_request *request, const struct csr *csr)
{
    AUTO(buf_clear) struct buf names = { 0 };

    server.requests++;
    must(span_to_text(request->transaction, server.transaction, sizeof server.transaction), "transaction");
    must(span_to_text(csr_get_challenge(csr), server.challenge, sizeof server.challenge), "challenge");
    if (csr_get_subject_alt_name(csr).len)
        must(general_names_format(csr_get_subject_alt_name(csr), &names), "names");
    must(span_to_text(buf_span(&names), server.names, sizeof server.names), "names");
    sha256(csr_get_spki(csr), server.key_hash);
}

static enum status certify(const struct csr *csr, struct cert_list *certs)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    struct party party;
    struct draft draft = { .issuer = &issuing, .is_ca = server.is_ca, .dns = server.dns };

    must(name_format(csr_get_subject(csr), &subject), "subject");
    draft.name = server.subject ? server.subject : subject.len ? buf_text(&subject) : "CN=unnamed";
    if (!server.another_key)
        draft.spki = csr_get_spki(csr);
    party_make(&party, &draft);
    private_key_free(party.key);
    return cert_list_append(certs, party.cert);
}

static enum status fake_request(struct method_session *session, const struct method_request *request,
                                struct cert_list *certs)
{
    AUTO(csr_freep) struct csr *csr = NULL;

    (void)session;
    must(csr_parse(request->csr, &csr), "CSR");
    remember(request, csr);
    if (server.status != OK)
        return fail(server.status, "the server says %s", status_name(server.status));
    return certify(csr, certs);
}

static enum status fake_poll(struct method_session *session, const struct method_request *request,
                             struct cert_list *certs)
{
    server.polls++;
    server.requests--; /* fake_request() counts it */
    if (server.fault_count) {
        server.fault_count--;
        server.requests++;
        return fail(FAULT, "the server is away");
    }
    if (server.refuses_polls) {
        server.requests++;
        server.status = OK; /* it was decided meanwhile */
        return fail(REFUSED, "send the request itself again");
    }
    const enum status then = server.status;
    if (server.pending_count) {
        server.pending_count--;
        server.status = PENDING;
    } else if (then == PENDING) {
        server.status = OK;
    }
    const enum status status = fake_request(session, request, certs);
    server.status = then;
    return status;
}

static const struct method fake = { "SCEP",        fake_open,    fake_close, fake_capabilities,
                                    fake_fetch_ca, fake_request, fake_poll };

/* In the place of pause.c's: the device's time flies. */
void pause_ms(unsigned ms)
{
    server.paused_ms += ms;
}

/* In the place of method.c's. */
const struct method *method_find(const char *protocol)
{
    return strcmp(protocol, "SCEP") == 0 ? &fake : NULL;
}

/* --- The device -------------------------------------------------------------------------------------- */

static int make_pki(void **state)
{
    (void)state;
    party_make(&root, &(struct draft){ .name = "CN=Root", .is_ca = true });
    party_make(&issuing, &(struct draft){ .name = "CN=Issuing", .issuer = &root, .is_ca = true });
    party_make(&ra, &(struct draft){ .name = "CN=RA", .issuer = &issuing });
    party_make(&foreign_root, &(struct draft){ .name = "CN=Root", .is_ca = true });
    return 0;
}

static int clear_pki(void **state)
{
    (void)state;
    party_clear(&root);
    party_clear(&issuing);
    party_clear(&ra);
    party_clear(&foreign_root);
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    forget_server();
    folder_make(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static void path_of(const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", folder, name);
}

static bool exists(const char *name)
{
    char path[128];
    struct stat about;

    path_of(name, path);
    return lstat(path, &about) == 0;
}

static void write_profile(const char *more)
{
    AUTO(buf_clear) struct buf text = { 0 };
    uint8_t pin[SHA256_BYTES];
    char pin_text[2 * SHA256_BYTES + 1], path[128];

    cert_fingerprint(root.cert, pin);
    hex_encode(span_of(pin, sizeof pin), pin_text);
    must(buf_append_format(&text, "Name = \"gw\"\nServerURL = \"http://h/scep\"\nCAFingerprint = \"%s\"\n%s", pin_text,
                           more), "profile");
    path_of("profile", path);
    must(file_replace(path, buf_span(&text), 0600), "profile");
}

#define ORDERS "Subject = \"CN=gw\"\nChallengeUsername = \"gw.example\"\nChallengePassword = \"once\"\n"

/* Run the agent; what it prints goes nowhere. */
static enum status enrol(void)
{
    char profile[128], store[128];

    path_of("profile", profile);
    path_of("store", store);
    const struct enrol_options options = { .profile = profile, .store = store };
    FILE *shown = stdout;
    stdout = fopen("/dev/null", "w");
    const enum status status = enrol_run(&options);
    fclose(stdout);
    stdout = shown;
    return status;
}

static void load_current(struct credential *out)
{
    AUTO(vault_freep) struct vault *vault = NULL;
    unsigned generation = 0;
    char store[128];

    path_of("store", store);
    must(vault_open(store, "gw", &vault), "vault");
    must(vault_current(vault, &generation), "current");
    must(credential_load(vault, generation, out), "credential");
}

/* --- Tests -------------------------------------------------------------------------------------------- */

static void an_enrolment_ends_in_a_generation_that_verifies(void **state)
{
    AUTO(credential_clear) struct credential current = { 0 };
    uint8_t pin[SHA256_BYTES];

    (void)state;
    write_profile(ORDERS "SubjectAltName = {\"URI:urn:x\"}\n");
    server.dns = NULL;
    server.subject = NULL;
    assert_int_equal(enrol(), BAD_PROOF); /* the fake gives no URI:urn:x */
    write_profile(ORDERS);
    assert_int_equal(enrol(), OK);
    load_current(&current);
    cert_fingerprint(root.cert, pin);
    assert_int_equal(credential_verify(&current, span_of(pin, sizeof pin), clock_now_s()), OK);
    assert_int_equal(current.chain.count, 1);
    assert_string_equal(server.challenge, "once");
    assert_string_equal(server.names, "DNS:gw.example");
    assert_true(current.renew_at_s > clock_now_s());
    assert_true(current.renew_at_s <= cert_not_after_s(current.cert));
    assert_false(exists("store/gw/attempt"));
    assert_true(exists("store/gw/current/fullchain.pem"));
}

static void enrolling_again_makes_a_new_generation_with_a_new_key(void **state)
{
    uint8_t first[SHA256_BYTES];

    (void)state;
    write_profile(ORDERS);
    assert_int_equal(enrol(), OK);
    memcpy(first, server.key_hash, sizeof first);
    assert_int_equal(enrol(), OK);
    assert_memory_not_equal(first, server.key_hash, sizeof first);
    assert_true(exists("store/gw/gen-2"));
    assert_true(exists("store/gw/gen-1"));
}

static void a_root_that_is_not_in_the_chain_is_asked_for(void **state)
{
    (void)state;
    write_profile(ORDERS);
    server.hides_root = true;
    assert_int_equal(enrol(), OK);
}

static void a_server_without_our_anchor_gets_no_password(void **state)
{
    (void)state;
    write_profile(ORDERS);
    server.foreign = true;
    assert_int_equal(enrol(), BAD_PROOF);
    assert_non_null(strstr(fail_text(), "no password was sent"));
    assert_int_equal(server.requests, 0);
    assert_false(exists("store/gw/attempt"));
    assert_false(exists("store/gw/current"));
}

static void after_a_fault_the_same_request_is_sent_again(void **state)
{
    char transaction[ATTEMPT_TRANSACTION_BYTES];
    uint8_t key_hash[SHA256_BYTES];

    (void)state;
    write_profile(ORDERS);
    server.status = FAULT;
    assert_int_equal(enrol(), FAULT);
    memcpy(transaction, server.transaction, sizeof transaction);
    memcpy(key_hash, server.key_hash, sizeof key_hash);
    assert_true(exists("store/gw/attempt"));
    write_profile(ORDERS "PollDeadlineSeconds = 0\n");
    server.status = PENDING;
    assert_int_equal(enrol(), PENDING);
    assert_int_equal(server.polls, 0);
    assert_string_equal(server.transaction, transaction);
    server.status = OK;
    assert_int_equal(enrol(), OK);
    assert_string_equal(server.transaction, transaction);
    assert_memory_equal(server.key_hash, key_hash, sizeof key_hash);
}

static void a_pending_request_is_polled_until_it_is_decided(void **state)
{
    (void)state;
    write_profile(ORDERS "PollIntervalSeconds = 10\n");
    server.status = PENDING;
    server.pending_count = 4;
    server.fault_count = 2; /* a server that is away for a while is no reason to stop */
    assert_int_equal(enrol(), OK);
    assert_int_equal(server.requests, 1);
    assert_int_equal(server.polls, 7);
    assert_true(server.paused_ms >= 70000 && server.paused_ms <= 77000);
    assert_string_equal(server.challenge, ""); /* the password is not kept for polls */
    assert_false(exists("store/gw/attempt"));
    assert_true(exists("store/gw/current"));
}

static void with_an_ec_key_the_request_is_sent_again_where_an_answer_may_be_lost(void **state)
{
    (void)state;
    write_profile(ORDERS "KeyType = \"EC\"\nPollIntervalSeconds = 10\n");
    server.status = PENDING;
    server.pending_count = 1;
    server.fault_count = 1;
    assert_int_equal(enrol(), OK);
    assert_int_equal(server.requests, 2);
    assert_int_equal(server.polls, 3);
    assert_string_equal(server.challenge, "once"); /* it opens the reply */
}

static void with_an_ec_key_the_request_is_sent_again_where_a_poll_is_refused(void **state)
{
    (void)state;
    write_profile(ORDERS "KeyType = \"EC\"\n");
    server.status = PENDING;
    server.refuses_polls = true;
    assert_int_equal(enrol(), OK);
    assert_int_equal(server.polls, 1);
    assert_int_equal(server.requests, 2);
    assert_string_equal(server.challenge, "once");
}

static void with_an_ec_key_a_request_that_is_refused_too_ends_the_transaction(void **state)
{
    char transaction[ATTEMPT_TRANSACTION_BYTES];

    (void)state;
    write_profile(ORDERS "KeyType = \"EC\"\nPollDeadlineSeconds = 0\n");
    server.status = PENDING;
    assert_int_equal(enrol(), PENDING);
    memcpy(transaction, server.transaction, sizeof transaction);
    server.status = REFUSED;
    assert_int_equal(enrol(), REFUSED);
    server.status = OK;
    assert_int_equal(enrol(), OK);
    assert_string_not_equal(server.transaction, transaction);
}

static void an_ec_key_is_not_asked_for_without_a_password(void **state)
{
    (void)state;
    write_profile("Subject = \"CN=gw\"\nKeyType = \"EC\"\n");
    assert_int_equal(enrol(), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "no ChallengePassword"));
    assert_int_equal(server.requests, 0);
}

static void a_deadline_that_has_passed_says_what_to_do_and_the_next_run_goes_on_polling(void **state)
{
    char transaction[ATTEMPT_TRANSACTION_BYTES];
    uint8_t key_hash[SHA256_BYTES];

    (void)state;
    write_profile(ORDERS "PollIntervalSeconds = 10\nPollDeadlineSeconds = 25\n");
    server.status = PENDING;
    server.pending_count = 100;
    assert_int_equal(enrol(), PENDING);
    assert_true(server.paused_ms == 25000 && server.polls == 3 && server.requests == 1);
    assert_non_null(strstr(fail_text(), server.transaction));
    assert_non_null(strstr(fail_text(), "run the same command again"));
    memcpy(transaction, server.transaction, sizeof transaction);
    memcpy(key_hash, server.key_hash, sizeof key_hash);
    assert_true(exists("store/gw/attempt"));
    server.pending_count = 0;
    assert_int_equal(enrol(), OK);
    assert_int_equal(server.requests, 1);
    assert_int_equal(server.polls, 4);
    assert_string_equal(server.transaction, transaction);
    assert_memory_equal(server.key_hash, key_hash, sizeof key_hash);
}

static void a_rejected_request_ends_the_transaction(void **state)
{
    char transaction[ATTEMPT_TRANSACTION_BYTES];

    (void)state;
    write_profile(ORDERS "PollDeadlineSeconds = 0\n");
    server.status = PENDING;
    assert_int_equal(enrol(), PENDING);
    memcpy(transaction, server.transaction, sizeof transaction);
    server.status = REFUSED;
    assert_int_equal(enrol(), REFUSED);
    assert_int_equal(server.polls, 1);
    assert_string_equal(server.transaction, transaction);
    server.status = OK;
    assert_int_equal(enrol(), OK);
    assert_int_equal(server.polls, 1); /* a new request, not a poll */
    assert_string_not_equal(server.transaction, transaction);
}

static void an_unproved_answer_keeps_the_transaction(void **state)
{
    char transaction[ATTEMPT_TRANSACTION_BYTES];

    (void)state;
    write_profile(ORDERS);
    server.status = BAD_PROOF;
    assert_int_equal(enrol(), BAD_PROOF);
    memcpy(transaction, server.transaction, sizeof transaction);
    server.status = OK;
    assert_int_equal(enrol(), OK);
    assert_string_equal(server.transaction, transaction);
}

static void a_proved_refusal_ends_the_transaction_and_keeps_the_key(void **state)
{
    char transaction[ATTEMPT_TRANSACTION_BYTES];
    uint8_t key_hash[SHA256_BYTES];

    (void)state;
    write_profile(ORDERS);
    server.status = REFUSED;
    assert_int_equal(enrol(), REFUSED);
    assert_string_equal(fail_text(), "the server says refused");
    assert_false(exists("store/gw/current"));
    memcpy(transaction, server.transaction, sizeof transaction);
    memcpy(key_hash, server.key_hash, sizeof key_hash);
    server.status = OK;
    assert_int_equal(enrol(), OK);
    assert_string_not_equal(server.transaction, transaction);
    assert_memory_equal(server.key_hash, key_hash, sizeof key_hash);
}

static void other_orders_mean_another_key(void **state)
{
    uint8_t key_hash[SHA256_BYTES];

    (void)state;
    write_profile(ORDERS);
    server.status = FAULT;
    assert_int_equal(enrol(), FAULT);
    memcpy(key_hash, server.key_hash, sizeof key_hash);
    server.status = OK;
    write_profile("Subject = \"CN=other\"\nChallengePassword = \"once\"\n");
    assert_int_equal(enrol(), OK);
    assert_memory_not_equal(server.key_hash, key_hash, sizeof key_hash);
}

static void a_broken_record_of_an_attempt_does_not_stop_the_device(void **state)
{
    char path[128];

    (void)state;
    write_profile(ORDERS);
    server.status = FAULT;
    assert_int_equal(enrol(), FAULT);
    path_of("store/gw/attempt", path);
    assert_int_equal(truncate(path, 300), 0);
    server.status = OK;
    assert_int_equal(enrol(), OK);
}

static void a_power_cut_after_the_switch_leaves_nothing_to_do(void **state)
{
    AUTO(buf_clear) struct buf attempt = { 0 };
    char path[128];

    (void)state;
    write_profile(ORDERS);
    server.status = FAULT;
    assert_int_equal(enrol(), FAULT);
    path_of("store/gw/attempt", path);
    must(file_read(path, 65536, &attempt), "attempt");
    server.status = OK;
    assert_int_equal(enrol(), OK);
    must(file_create(path, buf_span(&attempt), 0600), "attempt");
    const unsigned requests = server.requests;
    assert_int_equal(enrol(), OK);
    assert_int_equal(server.requests, requests);
    assert_false(exists("store/gw/attempt"));
    assert_false(exists("store/gw/gen-2"));
}

static void a_certificate_that_was_not_asked_for_is_not_installed(void **state)
{
    (void)state;
    write_profile(ORDERS);
    server.another_key = true;
    assert_int_equal(enrol(), BAD_PROOF);
    server.another_key = false;
    server.subject = "CN=somebody else";
    assert_int_equal(enrol(), BAD_PROOF);
    server.subject = NULL;
    server.is_ca = true;
    assert_int_equal(enrol(), BAD_PROOF);
    assert_false(exists("store/gw/current"));
    assert_false(exists("store/gw/gen-1"));
}

static void names_that_were_asked_for_must_be_there(void **state)
{
    (void)state;
    write_profile("SubjectAltName = {\"DNS:a.example\"}\n");
    server.dns = "DNS:b.example";
    assert_int_equal(enrol(), BAD_PROOF);
    server.dns = "DNS:A.example";
    assert_int_equal(enrol(), OK);
}

static void the_username_can_stand_before_the_password(void **state)
{
    (void)state;
    write_profile(ORDERS "UsernameForm = \"challenge\"\n");
    assert_int_equal(enrol(), OK);
    assert_string_equal(server.challenge, "gw.example:once");
    assert_string_equal(server.names, "");
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(an_enrolment_ends_in_a_generation_that_verifies),
        IN_A_FOLDER(enrolling_again_makes_a_new_generation_with_a_new_key),
        IN_A_FOLDER(a_root_that_is_not_in_the_chain_is_asked_for),
        IN_A_FOLDER(a_server_without_our_anchor_gets_no_password),
        IN_A_FOLDER(after_a_fault_the_same_request_is_sent_again),
        IN_A_FOLDER(a_pending_request_is_polled_until_it_is_decided),
        IN_A_FOLDER(with_an_ec_key_the_request_is_sent_again_where_a_poll_is_refused),
        IN_A_FOLDER(with_an_ec_key_a_request_that_is_refused_too_ends_the_transaction),
        IN_A_FOLDER(an_ec_key_is_not_asked_for_without_a_password),
        IN_A_FOLDER(with_an_ec_key_the_request_is_sent_again_where_an_answer_may_be_lost),
        IN_A_FOLDER(a_deadline_that_has_passed_says_what_to_do_and_the_next_run_goes_on_polling),
        IN_A_FOLDER(a_rejected_request_ends_the_transaction),
        IN_A_FOLDER(an_unproved_answer_keeps_the_transaction),
        IN_A_FOLDER(a_proved_refusal_ends_the_transaction_and_keeps_the_key),
        IN_A_FOLDER(other_orders_mean_another_key),
        IN_A_FOLDER(a_broken_record_of_an_attempt_does_not_stop_the_device),
        IN_A_FOLDER(a_power_cut_after_the_switch_leaves_nothing_to_do),
        IN_A_FOLDER(a_certificate_that_was_not_asked_for_is_not_installed),
        IN_A_FOLDER(names_that_were_asked_for_must_be_there),
        IN_A_FOLDER(the_username_can_stand_before_the_password),
    };

    return cmocka_run_group_tests(tests, make_pki, clear_pki);
}
