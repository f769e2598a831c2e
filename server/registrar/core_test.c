/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/fixture.h"

#include "lib/base/test.h"
#include "lib/scep/scep.h"

#include <stdio.h>
#include <unistd.h>

/* --- Small helpers ------------------------------------------------------------------- */

static struct fixture_request first(const char *username, const char *password)
{
    return (struct fixture_request){ .username = username, .password = password, .key = 0 };
}

static void assert_refused(const struct fixture_decision *decision, const char *words)
{
    assert_non_null(decision);
    assert_int_equal(decision->status, REFUSED);
    assert_int_equal(decision->fail_info, SCEP_BAD_REQUEST);
    assert_int_equal(decision->certificate.len, 0);
    if (!strstr(decision->text, words))
        print_error("\"%s\" does not say \"%s\"\n", decision->text, words);
    assert_non_null(strstr(decision->text, words));
}

static void assert_event(struct fixture *f, const char *words)
{
    if (!strstr(fixture_newest_event(f), words))
        print_error("event \"%s\" does not say \"%s\"\n", fixture_newest_event(f), words);
    assert_non_null(strstr(fixture_newest_event(f), words));
}

static int64_t open_intents(struct fixture *f)
{
    struct store_totals totals;

    assert_int_equal(store_get_totals(f->store, f->now_s, &totals), OK);
    assert_true(totals.open_intents == (int64_t)f->registrar.intents.count);
    return totals.open_intents;
}

static int64_t certificates(struct fixture *f)
{
    struct store_totals totals;

    assert_int_equal(store_get_totals(f->store, f->now_s, &totals), OK);
    return totals.certificates;
}

static bool same_certificate(const struct fixture_decision *a, const struct fixture_decision *b)
{
    return a->certificate.len && span_equal(buf_span(&a->certificate), buf_span(&b->certificate));
}

/* A device that has enrolled; its certificate. */
static const struct fixture_decision *enrolled(struct fixture *f, const char *name, unsigned key,
                                               char password[CREDENTIAL_GENERATED_BYTES])
{
    fixture_add_device(f, name, password);
    const struct fixture_request request = { .username = name, .password = password, .key = key };
    const struct fixture_decision *decision = fixture_ask(f, &request);
    assert_non_null(decision);
    assert_int_equal(decision->status, OK);
    return decision;
}

static struct fixture_request renewal(const struct fixture_decision *of, unsigned key)
{
    return (struct fixture_request){ .message_type = SCEP_RENEWAL_REQ, .transaction = "t2", .key = key,
                                     .subject = "CN=gw-1", .proof = buf_span(&of->certificate) };
}

static void revoke_it(struct fixture *f, const struct fixture_decision *decision)
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

/* --- Enrolling ------------------------------------------------------------------------ */

static void a_username_and_its_password_get_the_certificate_of_the_template(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(buf_clear) struct buf text = { 0 };

    fixture_signer_comes(f);
    const struct fixture_decision *decision = enrolled(f, "gw-1", 0, password);
    assert_int_equal(cert_parse(buf_span(&decision->certificate), &cert), OK);
    assert_int_equal(name_format(cert_get_subject(cert), &text), OK);
    assert_true(span_equal(buf_span(&text), SPAN_LITERAL("CN=gw-1")));
    text.len = 0;
    assert_int_equal(general_names_format(cert_get_subject_alt_name(cert), &text), OK);
    assert_true(span_equal(buf_span(&text), SPAN_LITERAL("DNS:gw-1.example.org")));
    assert_true(cert_not_before_s(cert) == FIXTURE_NOW_S - 300);
    assert_true(cert_not_after_s(cert) == FIXTURE_NOW_S + 31536000);
    assert_event(f, "enrolled: ");
    assert_int_equal(open_intents(f), 0);
}

static void an_unknown_user_and_a_wrong_password_get_the_same_answer(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", "wrong");
    const struct fixture_decision wrong = *fixture_ask(f, &request);
    assert_event(f, "refused: wrong password, try 1");
    request = first("nobody", "wrong");
    const struct fixture_decision unknown = *fixture_ask(f, &request);
    assert_event(f, "refused: unknown user \"nobody\"");
    request = first("", "");
    const struct fixture_decision empty = *fixture_ask(f, &request);
    assert_refused(&wrong, TEXT_NOT_ACCEPTED);
    assert_refused(&unknown, TEXT_NOT_ACCEPTED);
    assert_refused(&empty, TEXT_NOT_ACCEPTED);
    assert_string_equal(wrong.text, unknown.text);
    assert_string_equal(wrong.text, empty.text);
    assert_int_equal(wrong.fail_info, unknown.fail_info);
}

static void ten_wrong_passwords_lock_the_user_until_a_new_password_is_issued(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    json_t *answer = NULL;

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", "wrong");
    for (int i = 0; i < 10; i++)
        assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_event(f, "try 10: the user is locked now");
    request.password = password;
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_event(f, "locked");
    assert_int_equal(fixture_command(f, "{'command': 'device.show', 'name': 'gw-1'}", &answer), OK);
    assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "device"), "state")), "locked");
    json_decref(answer);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1'}", &answer), OK);
    request.password = json_string_value(json_object_get(answer, "password"));
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    json_decref(answer);
}

static void nine_wrong_passwords_do_not_lock(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", "wrong");
    for (int i = 0; i < 9; i++)
        assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    request.password = password;
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void an_expired_password_is_refused_like_a_wrong_one(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = first("gw-1", password);
    f->now_s += 86400;
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_event(f, "refused: the password has expired");
}

static void a_password_that_the_operator_chose_works_once(void **state)
{
    struct fixture *f = *state;

    fixture_signer_comes(f);
    assert_int_equal(fixture_command(f, "{'command': 'device.add', 'name': 'gw-1', 'template': 'device'}", NULL), OK);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1', 'password': 'short'}", NULL),
                     BAD_INPUT);
    assert_int_equal(
        fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1', 'password': 'correct horse'}", NULL), OK);
    struct fixture_request request = first("gw-1", "correct hors");
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    request.password = "correct horse";
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    request.transaction = "another";
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
}

static void a_device_enrols_only_where_its_template_is_given_out(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", password);
    request.path = "lab";
    assert_refused(fixture_ask(f, &request), "not enrol on this path");
    request.path = "nowhere";
    assert_refused(fixture_ask(f, &request), "no such enrolment path");
    request.path = "factory";
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_username_of_one_does_not_get_the_names_of_another(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    fixture_add_device(f, "gw-2", (char[CREDENTIAL_GENERATED_BYTES]){ 0 });
    struct fixture_request request = first("gw-1", password);
    request.subject = "CN=gw-2";
    assert_refused(fixture_ask(f, &request), "");
    request.subject = "CN=gw-1";
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_removed_device_does_not_enrol(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *decision = enrolled(f, "gw-1", 0, password);
    assert_int_equal(fixture_command(f, "{'command': 'device.remove', 'name': 'gw-1'}", NULL), OK);
    struct fixture_request request = first("gw-1", password);
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    request = renewal(decision, 0);
    assert_refused(fixture_ask(f, &request), "may not enrol");
}

/* --- GetCert ---------------------------------------------------------------------------- */

static const struct fixture_decision *look_up(struct fixture *f, const char *path, struct span proof, struct span serial)
{
    const struct ipc_message message = {
        .kind = IPC_KIND_lookup,
        .fd = -1,
        .lookup = { .exchange = 7, .path = span_of_text(path), .transaction = SPAN_LITERAL("t3"), .serial = serial,
                    .proof = proof, .address = SPAN_LITERAL("192.0.2.7") },
    };

    const size_t before = f->decisions_count;
    assert_int_equal(store_begin(f->store), OK);
    assert_int_equal(registrar_take(&f->registrar, IPC_RESPONDER, 0, &message, f->now_s), OK);
    assert_int_equal(store_commit(f->store), OK);
    assert_int_equal(f->decisions_count, before + 1);
    return &f->decisions[before];
}

static void a_device_gets_a_copy_of_a_certificate_by_its_serial_number(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    AUTO(cert_freep) struct cert *cert = NULL;

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    const struct fixture_decision *two = enrolled(f, "gw-2", 1, password);
    assert_int_equal(cert_parse(buf_span(&two->certificate), &cert), OK);
    const struct fixture_decision *copy = look_up(f, "factory", buf_span(&one->certificate), cert_get_serial(cert));
    assert_int_equal(copy->status, OK);
    assert_true(copy->exchange == 7 && same_certificate(copy, two));
    assert_event(f, "fetched: ");
    assert_int_equal(f->issues_count, 2);
}

static void what_is_not_there_is_bad_cert_id_and_one_event(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    const int64_t before = store_event_newest(f->store);
    const struct fixture_decision *none = look_up(f, "factory", buf_span(&one->certificate), SPAN_LITERAL("\x05"));
    assert_int_equal(none->status, REFUSED);
    assert_int_equal(none->fail_info, SCEP_BAD_CERT_ID);
    assert_event(f, "refused: asks for the certificate 05, which does not exist");
    none = look_up(f, "factory", buf_span(&one->certificate), span_of(NULL, 0));
    assert_int_equal(none->fail_info, SCEP_BAD_CERT_ID);
    assert_true(store_event_newest(f->store) == before + 2);
}

static void a_copy_is_for_valid_certificates_of_ours_alone(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    AUTO(cert_freep) struct cert *cert = NULL;

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    assert_int_equal(cert_parse(buf_span(&one->certificate), &cert), OK);
    const struct span serial = cert_get_serial(cert), proof = buf_span(&one->certificate);
    assert_refused(look_up(f, "factory", span_of(NULL, 0), serial), "that this CA has issued");
    assert_refused(look_up(f, "factory", cert_get_der(f->ca), serial), "not known here");
    assert_refused(look_up(f, "nowhere", proof, serial), "no such enrolment path");
    f->now_s += 2 * INT64_C(31536000);
    assert_refused(look_up(f, "factory", proof, serial), "expired");
    f->now_s = FIXTURE_NOW_S;
    revoke_it(f, one);
    assert_refused(look_up(f, "factory", proof, serial), "revoked");
}

/* --- Again ---------------------------------------------------------------------------- */

static void the_same_request_again_gets_the_same_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    const struct fixture_request again = first("gw-1", password);
    f->now_s += 100000; /* the password would have expired */
    const struct fixture_decision *two = fixture_ask(f, &again);
    assert_int_equal(two->status, OK);
    assert_true(same_certificate(one, two));
    assert_event(f, "repeated: the same certificate again");
    assert_int_equal(certificates(f), 1);
    assert_int_equal(f->issues_count, 1);
}

static void a_burned_password_with_another_key_or_transaction_is_refused_and_noted(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    enrolled(f, "gw-1", 0, password);
    struct fixture_request request = first("gw-1", password);
    request.key = 1;
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_event(f, "refused: password used before");
    request = first("gw-1", password);
    request.transaction = "t9";
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_event(f, "refused: password used before");
    assert_int_equal(certificates(f), 1);
}

static void a_repeat_with_a_wrong_or_replaced_password_gets_nothing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    enrolled(f, "gw-1", 0, password);
    struct fixture_request request = first("gw-1", "wrong");
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1'}", NULL), OK);
    request.password = password;
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
}

static void a_repeat_of_a_revoked_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *decision = enrolled(f, "gw-1", 0, password);
    revoke_it(f, decision);
    const struct fixture_request again = first("gw-1", password);
    assert_refused(fixture_ask(f, &again), TEXT_NOT_ACCEPTED);
}

static void the_same_request_twice_at_once_is_one_enrolment_with_two_answers(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", password);
    request.exchange = 1;
    fixture_send(f, &request);
    request.exchange = 2;
    request.responder = 1;
    fixture_send(f, &request);
    assert_int_equal(f->decisions_count, 0);
    assert_int_equal(open_intents(f), 1);
    fixture_signer_works(f);
    assert_int_equal(f->decisions_count, 2);
    assert_true(same_certificate(&f->decisions[0], &f->decisions[1]));
    assert_true(f->decisions[0].responder == 0 && f->decisions[0].exchange == 1);
    assert_true(f->decisions[1].responder == 1 && f->decisions[1].exchange == 2);
    assert_int_equal(f->issues_count, 1);
}

static void a_reserved_password_does_not_start_a_second_enrolment(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", password);
    assert_null(fixture_ask(f, &request)); /* no signer: it waits */
    request.key = 1;
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_event(f, "it is reserved");
}

static void a_key_of_another_device_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    enrolled(f, "gw-1", 0, password);
    fixture_add_device(f, "gw-2", password);
    struct fixture_request request = first("gw-2", password);
    assert_refused(fixture_ask(f, &request), "key is used elsewhere");
    request.key = 1;
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

/* --- Renewing -------------------------------------------------------------------------- */

static void a_certificate_of_ours_renews_itself_with_a_new_key_or_the_old_one(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    struct fixture_request request = renewal(one, 1);
    const struct fixture_decision *two = fixture_ask(f, &request);
    assert_int_equal(two->status, OK);
    assert_false(same_certificate(one, two));
    assert_event(f, "renewed: ");
    assert_true(same_certificate(two, fixture_ask(f, &request)));
    request = renewal(two, 1);
    request.message_type = SCEP_PKCS_REQ;
    request.transaction = "t3";
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    assert_int_equal(certificates(f), 3);
}

static void a_renewal_needs_its_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", password);
    request.message_type = SCEP_RENEWAL_REQ;
    assert_refused(fixture_ask(f, &request), "renewal must be signed with the certificate to be renewed");
}

static void an_expired_revoked_or_not_yet_valid_certificate_renews_nothing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    const struct fixture_request request = renewal(one, 1);
    f->now_s = FIXTURE_NOW_S - 1000;
    assert_refused(fixture_ask(f, &request), "valid from");
    f->now_s = FIXTURE_NOW_S + 31536001;
    assert_refused(fixture_ask(f, &request), "expired");
    f->now_s = FIXTURE_NOW_S;
    revoke_it(f, one);
    assert_refused(fixture_ask(f, &request), "revoked");
}

static void a_certificate_that_the_ledger_does_not_know_renews_nothing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    struct fixture_request request = renewal(one, 1);
    request.proof = cert_get_der(f->ca);
    assert_refused(fixture_ask(f, &request), "not known here");
    struct fixture_decision changed = *one; /* the same serial number, another certificate */
    changed.certificate = (struct buf){ 0 };
    assert_int_equal(buf_set(&changed.certificate, buf_span(&one->certificate)), OK);
    changed.certificate.ptr[changed.certificate.len - 1] ^= 1;
    request.proof = buf_span(&changed.certificate);
    const struct fixture_decision *decision = fixture_ask(f, &request);
    assert_true(decision->status == REFUSED || decision->status == BAD_INPUT);
    buf_clear(&changed.certificate);
}

static void a_renewal_is_for_the_same_subject(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    const struct fixture_request request = renewal(one, 1);
    snprintf(f->config->templates[0].subject, TEMPLATE_TEXT_BYTES, "CN=%%{name},O=New");
    f->config->templates[0].request_subject = REQUEST_NAMES_IGNORE;
    assert_refused(fixture_ask(f, &request), "subject");
}

static void a_renewal_with_a_wrong_password_is_refused_and_with_the_burned_one_is_fine(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    struct fixture_request request = renewal(one, 1);
    request.username = "gw-1";
    request.password = "wrong";
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    request.username = "gw-2";
    request.password = password;
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    request.username = "gw-1";
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_renewal_before_its_time_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    f->config->templates[0].renew_from_percent = 50;
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    const struct fixture_request request = renewal(one, 1);
    assert_refused(fixture_ask(f, &request), "too early");
    f->now_s += 31536000 / 2 + 100;
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_request_to_renew_that_names_nobody_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    f->config->templates[0].request_subject = REQUEST_NAMES_IGNORE;
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    struct fixture_request request = renewal(one, 1);
    request.subject = "";
    assert_refused(fixture_ask(f, &request), "must have the subject");
    request.subject = "CN=gw-2";
    assert_refused(fixture_ask(f, &request), "must have the subject");
}

static void a_device_of_the_same_name_does_not_renew_its_forerunners_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    assert_int_equal(fixture_command(f, "{'command':'device.remove','name':'gw-1'}", NULL), OK);
    f->now_s += 60;
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = renewal(one, 1);
    assert_refused(fixture_ask(f, &request), "may not enrol");
    assert_event(f, "an earlier device of the name");
}

static void a_locked_users_password_is_not_tried_beside_a_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    struct fixture_request request = renewal(one, 1);
    request.password = "wrong";
    for (int i = 0; i < 10; i++)
        assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    request.password = password;
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_event(f, "locked after 10");
}

static void a_journal_that_is_behind_the_ledger_is_an_event(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    enrolled(f, "gw-1", 0, password);
    fixture_signer_goes(f);
    f->journal_count = 0;
    fixture_signer_comes(f);
    assert_event(f, "journal-lost: the signer's journal ends at record 0, the ledger knows 1");
}

static void guessing_at_a_password_does_not_keep_a_device_from_renewing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = enrolled(f, "gw-1", 0, password);
    struct fixture_request request = first("gw-1", "wrong");
    for (int i = 0; i < 12; i++)
        assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    request = renewal(one, 1);
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

/* --- Without a signer, and after a crash -------------------------------------------------- */

static void without_a_signer_a_request_waits_as_an_intent(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = first("gw-1", password);
    assert_null(fixture_ask(f, &request));
    assert_int_equal(open_intents(f), 1);
    assert_int_equal(f->to_signer.len, 0);
    fixture_signer_comes(f);
    assert_int_equal(f->decisions_count, 1);
    assert_int_equal(f->decisions[0].status, OK);
    assert_int_equal(open_intents(f), 0);
}

static void a_crash_between_intent_and_issue_is_made_good_with_the_same_serial(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = first("gw-1", password);
    assert_null(fixture_ask(f, &request));
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    memcpy(serial, intents_find(&f->registrar.intents, 1)->serial, sizeof serial);
    fixture_restart(f);
    assert_int_equal(open_intents(f), 1);
    fixture_signer_comes(f);
    assert_int_equal(f->issues_count, 1);
    assert_memory_equal(f->journal[0].serial, serial, sizeof serial);
    assert_int_equal(f->decisions_count, 0); /* nobody waits any more */
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    assert_int_equal(certificates(f), 1);
}

static void a_crash_after_the_journal_is_completed_from_it_without_signing_again(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = first("gw-1", password);
    f->signer_loses = true;
    assert_null(fixture_ask(f, &request));
    assert_int_equal(f->journal_count, 1);
    fixture_restart(f);
    f->signer_loses = false;
    fixture_signer_comes(f);
    assert_int_equal(f->issues_count, 1);
    assert_int_equal(open_intents(f), 0);
    assert_event(f, "enrolled: ");
    const struct fixture_decision *decision = fixture_ask(f, &request);
    assert_int_equal(decision->status, OK);
    assert_true(span_equal(buf_span(&decision->certificate), buf_span(&f->journal[0].certificate)));
}

static void a_signer_that_died_is_asked_again_by_its_successor(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = first("gw-1", password);
    fixture_send(f, &request);
    fixture_signer_goes(f); /* before it read the message */
    fixture_signer_comes(f);
    assert_int_equal(f->decisions_count, 1);
    assert_int_equal(f->decisions[0].status, OK);
    assert_int_equal(f->journal_count, 1);
}

static void a_certificate_that_a_restored_ledger_lost_is_kept_as_an_orphan(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    json_t *rows = NULL;

    fixture_signer_comes(f);
    enrolled(f, "gw-1", 0, password);
    unlink(f->ledger);
    f->decisions_count = 0;
    buf_clear(&f->decisions[0].certificate);
    /* The new ledger was never used with this key, so it takes the key that is there. */
    fixture_restart(f);
    fixture_signer_comes(f);
    assert_event(f, "orphan: signed (journal record 1)");
    assert_int_equal(fixture_command(f, "{'command': 'certificate.list'}", &rows), OK);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "device")), "");
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "subject")), "CN=gw-1");
    json_decref(rows);
    fixture_add_device(f, "gw-2", password);
    const struct fixture_request request = first("gw-2", password);
    assert_refused(fixture_ask(f, &request), "key is used elsewhere");
}

static void what_the_signer_refuses_frees_the_password(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = first("gw-1", password);
    f->signer_refuses = true;
    assert_refused(fixture_ask(f, &request), "refused to issue");
    assert_event(f, "issue-failed: the signer: refused: out of order");
    assert_int_equal(open_intents(f), 0);
    f->signer_refuses = false;
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_responder_that_has_gone_gets_no_decision(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    assert_int_equal(registrar_peer_came(&f->registrar, IPC_RESPONDER), OK);
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = first("gw-1", password);
    fixture_send(f, &request);
    registrar_peer_went(&f->registrar, IPC_RESPONDER, 0);
    fixture_signer_comes(f);
    assert_int_equal(f->decisions_count, 0);
    assert_int_equal(certificates(f), 1);
}

static void a_refusal_of_a_responder_is_an_event(void **state)
{
    struct fixture *f = *state;
    const struct ipc_message message = {
        .kind = IPC_KIND_refusal,
        .refusal = { .path = SPAN_LITERAL("factory"), .fail_info = SCEP_BAD_MESSAGE_CHECK, .status = BAD_PROOF,
                     .reason = SPAN_LITERAL("signature\nforged line"), .transaction = SPAN_LITERAL("\x01\x02") },
    };

    assert_int_equal(store_begin(f->store), OK);
    assert_int_equal(registrar_take(&f->registrar, IPC_RESPONDER, 0, &message, f->now_s), OK);
    assert_int_equal(store_commit(f->store), OK);
    assert_string_equal(fixture_newest_event(f),
                        "refused: signature?forged line (messageType 0, answered badMessageCheck)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_username_and_its_password_get_the_certificate_of_the_template),
        TEST(an_unknown_user_and_a_wrong_password_get_the_same_answer),
        TEST(ten_wrong_passwords_lock_the_user_until_a_new_password_is_issued),
        TEST(nine_wrong_passwords_do_not_lock),
        TEST(an_expired_password_is_refused_like_a_wrong_one),
        TEST(a_password_that_the_operator_chose_works_once),
        TEST(a_device_enrols_only_where_its_template_is_given_out),
        TEST(a_username_of_one_does_not_get_the_names_of_another),
        TEST(a_removed_device_does_not_enrol),
        TEST(a_device_gets_a_copy_of_a_certificate_by_its_serial_number),
        TEST(what_is_not_there_is_bad_cert_id_and_one_event),
        TEST(a_copy_is_for_valid_certificates_of_ours_alone),
        TEST(the_same_request_again_gets_the_same_certificate),
        TEST(a_burned_password_with_another_key_or_transaction_is_refused_and_noted),
        TEST(a_repeat_with_a_wrong_or_replaced_password_gets_nothing),
        TEST(a_repeat_of_a_revoked_certificate_is_refused),
        TEST(the_same_request_twice_at_once_is_one_enrolment_with_two_answers),
        TEST(a_reserved_password_does_not_start_a_second_enrolment),
        TEST(a_key_of_another_device_is_refused),
        TEST(a_certificate_of_ours_renews_itself_with_a_new_key_or_the_old_one),
        TEST(a_renewal_needs_its_certificate),
        TEST(an_expired_revoked_or_not_yet_valid_certificate_renews_nothing),
        TEST(a_certificate_that_the_ledger_does_not_know_renews_nothing),
        TEST(a_renewal_is_for_the_same_subject),
        TEST(a_renewal_with_a_wrong_password_is_refused_and_with_the_burned_one_is_fine),
        TEST(a_renewal_before_its_time_is_refused),
        TEST(a_journal_that_is_behind_the_ledger_is_an_event),
        TEST(a_request_to_renew_that_names_nobody_is_refused),
        TEST(a_device_of_the_same_name_does_not_renew_its_forerunners_certificate),
        TEST(a_locked_users_password_is_not_tried_beside_a_certificate),
        TEST(guessing_at_a_password_does_not_keep_a_device_from_renewing),
        TEST(without_a_signer_a_request_waits_as_an_intent),
        TEST(a_crash_between_intent_and_issue_is_made_good_with_the_same_serial),
        TEST(a_crash_after_the_journal_is_completed_from_it_without_signing_again),
        TEST(a_signer_that_died_is_asked_again_by_its_successor),
        TEST(a_certificate_that_a_restored_ledger_lost_is_kept_as_an_orphan),
        TEST(what_the_signer_refuses_frees_the_password),
        TEST(a_responder_that_has_gone_gets_no_decision),
        TEST(a_refusal_of_a_responder_is_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
