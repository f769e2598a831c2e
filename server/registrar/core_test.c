/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/fixture.h"

#include "lib/base/test.h"
#include "lib/scep/scep.h"

#include <stdio.h>
#include <unistd.h>

/* --- Small helpers ------------------------------------------------------------------- */

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

/* --- Enrolling ------------------------------------------------------------------------ */

static void a_username_and_its_password_get_the_certificate_of_the_template(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(buf_clear) struct buf text = { 0 };

    fixture_signer_comes(f);
    const struct fixture_decision *decision = fixture_enrolled(f, "gw-1", 0, password);
    assert_int_equal(cert_parse(buf_span(&decision->certificate), &cert), OK);
    assert_int_equal(name_format(cert_get_subject(cert), &text), OK);
    assert_true(span_equal(buf_span(&text), SPAN_LITERAL("CN=gw-1")));
    text.len = 0;
    assert_int_equal(general_names_format(cert_get_subject_alt_name(cert), &text), OK);
    assert_true(span_equal(buf_span(&text), SPAN_LITERAL("DNS:gw-1.example.org")));
    assert_true(cert_not_before_s(cert) == FIXTURE_NOW_S - 300);
    assert_true(cert_not_after_s(cert) == FIXTURE_NOW_S + 31536000);
    fixture_assert_event(f, "enrolled: ");
    assert_int_equal(open_intents(f), 0);
}

static void an_unknown_user_and_a_wrong_password_get_the_same_answer(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = fixture_first("gw-1", "wrong");
    const struct fixture_decision wrong = *fixture_ask(f, &request);
    fixture_assert_event(f, "refused: wrong password, try 1");
    request = fixture_first("nobody", "wrong");
    const struct fixture_decision unknown = *fixture_ask(f, &request);
    fixture_assert_event(f, "refused: unknown user \"nobody\"");
    request = fixture_first("", "");
    const struct fixture_decision empty = *fixture_ask(f, &request);
    fixture_assert_refused(&wrong, SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_refused(&unknown, SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_refused(&empty, SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
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
    struct fixture_request request = fixture_first("gw-1", "wrong");
    for (int i = 0; i < 10; i++)
        fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "try 10: the user is locked now");
    request.password = password;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "locked");
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
    struct fixture_request request = fixture_first("gw-1", "wrong");
    for (int i = 0; i < 9; i++)
        fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request.password = password;
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void an_expired_password_is_refused_like_a_wrong_one(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = fixture_first("gw-1", password);
    f->now_s += 86400;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "refused: the password has expired");
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
    struct fixture_request request = fixture_first("gw-1", "correct hors");
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request.password = "correct horse";
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    request.transaction = "another";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
}

static void a_device_enrols_only_where_its_template_is_given_out(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = fixture_first("gw-1", password);
    request.path = "lab";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "not enrol on this path");
    request.path = "nowhere";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "no such enrolment path");
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
    struct fixture_request request = fixture_first("gw-1", password);
    request.subject = "CN=gw-2";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "");
    request.subject = "CN=gw-1";
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_removed_device_does_not_enrol(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *decision = fixture_enrolled(f, "gw-1", 0, password);
    assert_int_equal(fixture_command(f, "{'command': 'device.remove', 'name': 'gw-1'}", NULL), OK);
    struct fixture_request request = fixture_first("gw-1", password);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request = fixture_renewal(decision, 0);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "may not enrol");
}

/* --- Again ---------------------------------------------------------------------------- */

static void the_same_request_again_gets_the_same_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    const struct fixture_request again = fixture_first("gw-1", password);
    f->now_s += 100000; /* the password would have expired */
    const struct fixture_decision *two = fixture_ask(f, &again);
    assert_int_equal(two->status, OK);
    assert_true(fixture_same_certificate(one, two));
    fixture_assert_event(f, "repeated: the same certificate again");
    assert_int_equal(certificates(f), 1);
    assert_int_equal(f->issues_count, 1);
}

static void a_burned_password_with_another_key_or_transaction_is_refused_and_noted(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_enrolled(f, "gw-1", 0, password);
    struct fixture_request request = fixture_first("gw-1", password);
    request.key = 1;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "refused: password used before");
    request = fixture_first("gw-1", password);
    request.transaction = "t9";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "refused: password used before");
    assert_int_equal(certificates(f), 1);
}

static void a_repeat_with_a_wrong_or_replaced_password_gets_nothing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_enrolled(f, "gw-1", 0, password);
    struct fixture_request request = fixture_first("gw-1", "wrong");
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1'}", NULL), OK);
    request.password = password;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
}

static void a_repeat_of_a_revoked_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *decision = fixture_enrolled(f, "gw-1", 0, password);
    fixture_revoke(f, decision);
    const struct fixture_request again = fixture_first("gw-1", password);
    fixture_assert_refused(fixture_ask(f, &again), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
}

static void the_same_request_twice_at_once_is_one_enrolment_with_two_answers(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = fixture_first("gw-1", password);
    request.exchange = 1;
    fixture_send(f, &request);
    request.exchange = 2;
    request.responder = 1;
    fixture_send(f, &request);
    assert_int_equal(f->decisions_count, 0);
    assert_int_equal(open_intents(f), 1);
    fixture_signer_works(f);
    assert_int_equal(f->decisions_count, 2);
    assert_true(fixture_same_certificate(&f->decisions[0], &f->decisions[1]));
    assert_true(f->decisions[0].responder == 0 && f->decisions[0].exchange == 1);
    assert_true(f->decisions[1].responder == 1 && f->decisions[1].exchange == 2);
    assert_int_equal(f->issues_count, 1);
}

static void a_reserved_password_does_not_start_a_second_enrolment(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = fixture_first("gw-1", password);
    assert_null(fixture_ask(f, &request)); /* no signer: it waits */
    request.key = 1;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "it is reserved");
}

static void a_key_of_another_device_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_enrolled(f, "gw-1", 0, password);
    fixture_add_device(f, "gw-2", password);
    struct fixture_request request = fixture_first("gw-2", password);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "key is used elsewhere");
    request.key = 1;
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

/* --- Renewing -------------------------------------------------------------------------- */

static void a_certificate_of_ours_renews_itself_with_a_new_key_or_the_old_one(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    struct fixture_request request = fixture_renewal(one, 1);
    const struct fixture_decision *two = fixture_ask(f, &request);
    assert_int_equal(two->status, OK);
    assert_false(fixture_same_certificate(one, two));
    fixture_assert_event(f, "renewed: ");
    assert_true(fixture_same_certificate(two, fixture_ask(f, &request)));
    request = fixture_renewal(two, 1);
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
    struct fixture_request request = fixture_first("gw-1", password);
    request.message_type = SCEP_RENEWAL_REQ;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "renewal must be signed with the certificate to be renewed");
}

static void an_expired_revoked_or_not_yet_valid_certificate_renews_nothing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    const struct fixture_request request = fixture_renewal(one, 1);
    f->now_s = FIXTURE_NOW_S - 1000;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "valid from");
    f->now_s = FIXTURE_NOW_S + 31536001;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "expired");
    f->now_s = FIXTURE_NOW_S;
    fixture_revoke(f, one);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "revoked");
}

static void a_certificate_that_the_ledger_does_not_know_renews_nothing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    struct fixture_request request = fixture_renewal(one, 1);
    request.proof = cert_get_der(f->ca);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "not known here");
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
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    const struct fixture_request request = fixture_renewal(one, 1);
    snprintf(f->config->templates[0].subject, TEMPLATE_TEXT_BYTES, "CN=%%{name},O=New");
    f->config->templates[0].request_subject = REQUEST_NAMES_IGNORE;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "subject");
}

static void a_renewal_with_a_wrong_password_is_refused_and_with_the_burned_one_is_fine(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    struct fixture_request request = fixture_renewal(one, 1);
    request.username = "gw-1";
    request.password = "wrong";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request.username = "gw-2";
    request.password = password;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request.username = "gw-1";
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_renewal_before_its_time_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    f->config->templates[0].renew_from_percent = 50;
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    const struct fixture_request request = fixture_renewal(one, 1);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "too early");
    f->now_s += 31536000 / 2 + 100;
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_request_to_renew_that_names_nobody_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    f->config->templates[0].request_subject = REQUEST_NAMES_IGNORE;
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    struct fixture_request request = fixture_renewal(one, 1);
    request.subject = "";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "must have the subject");
    request.subject = "CN=gw-2";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "must have the subject");
}

static void a_device_of_the_same_name_does_not_renew_its_forerunners_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    assert_int_equal(fixture_command(f, "{'command':'device.remove','name':'gw-1'}", NULL), OK);
    f->now_s += 60;
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = fixture_renewal(one, 1);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "may not enrol");
    fixture_assert_event(f, "an earlier device of the name");
}

static void a_locked_users_password_is_not_tried_beside_a_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    struct fixture_request request = fixture_renewal(one, 1);
    request.password = "wrong";
    for (int i = 0; i < 10; i++)
        fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request.password = password;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "locked after 10");
}

static void a_journal_that_is_behind_the_ledger_is_an_event(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_enrolled(f, "gw-1", 0, password);
    fixture_signer_goes(f);
    f->journal_count = 0;
    fixture_signer_comes(f);
    fixture_assert_event(f, "journal-lost: the signer's journal ends at record 0, the ledger knows 1");
}

static void guessing_at_a_password_does_not_keep_a_device_from_renewing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    struct fixture_request request = fixture_first("gw-1", "wrong");
    for (int i = 0; i < 12; i++)
        fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request = fixture_renewal(one, 1);
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

/* --- Without a signer, and after a crash -------------------------------------------------- */

static void without_a_signer_a_request_waits_as_an_intent(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = fixture_first("gw-1", password);
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
    const struct fixture_request request = fixture_first("gw-1", password);
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
    const struct fixture_request request = fixture_first("gw-1", password);
    f->signer_loses = true;
    assert_null(fixture_ask(f, &request));
    assert_int_equal(f->journal_count, 1);
    fixture_restart(f);
    f->signer_loses = false;
    fixture_signer_comes(f);
    assert_int_equal(f->issues_count, 1);
    assert_int_equal(open_intents(f), 0);
    fixture_assert_event(f, "enrolled: ");
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
    const struct fixture_request request = fixture_first("gw-1", password);
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
    fixture_enrolled(f, "gw-1", 0, password);
    unlink(f->ledger);
    f->decisions_count = 0;
    buf_clear(&f->decisions[0].certificate);
    /* The new ledger was never used with this key, so it takes the key that is there. */
    fixture_restart(f);
    fixture_signer_comes(f);
    fixture_assert_event(f, "orphan: signed (journal record 1)");
    assert_int_equal(fixture_command(f, "{'command': 'certificate.list'}", &rows), OK);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "device")), "");
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "subject")), "CN=gw-1");
    json_decref(rows);
    fixture_add_device(f, "gw-2", password);
    const struct fixture_request request = fixture_first("gw-2", password);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "key is used elsewhere");
}

static void what_the_signer_refuses_frees_the_password(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = fixture_first("gw-1", password);
    f->signer_refuses = true;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "refused to issue");
    fixture_assert_event(f, "issue-failed: the signer: refused: out of order");
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
    const struct fixture_request request = fixture_first("gw-1", password);
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
