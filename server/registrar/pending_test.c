/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that wait for an operator: recorded, polled, decided, expired.
 */
#include "server/registrar/fixture.h"

#include "lib/base/test.h"
#include "lib/base/text.h"
#include "lib/scep/scep.h"
#include "server/registrar/seal.h"

#include <stdio.h>

#define YEAR_S INT64_C(31536000)

static void key_hash(unsigned key, uint8_t hash[SHA256_BYTES])
{
    sha256(public_key_get_spki(private_key_get_public(fixture_key(key))), hash);
}

static const struct fixture_decision *poll_as(struct fixture *f, const char *transaction, unsigned key,
                                              bool needs_password)
{
    uint8_t hash[SHA256_BYTES];
    const struct ipc_message message = {
        .kind = IPC_KIND_poll,
        .fd = -1,
        .poll = { .exchange = 9, .path = SPAN_LITERAL("factory"), .transaction = span_of_text(transaction),
                  .signer = span_of(hash, sizeof hash), .needs_password = needs_password, .address = SPAN_LITERAL("192.0.2.7") },
    };
    const size_t before = f->decisions_count;

    key_hash(key, hash);
    assert_int_equal(store_begin(f->store), OK);
    assert_int_equal(registrar_take(&f->registrar, IPC_RESPONDER, 0, &message, f->now_s), OK);
    assert_int_equal(store_commit(f->store), OK);
    if (f->registrar.signer_connected)
        fixture_signer_works(f);
    return f->decisions_count > before ? &f->decisions[f->decisions_count - 1] : NULL;
}

/* The newest decision, or NULL where none came. */
static const struct fixture_decision *poll_for(struct fixture *f, const char *transaction, unsigned key)
{
    return poll_as(f, transaction, key, false);
}

static enum status command(struct fixture *f, const char *verb, int64_t id, const char *more)
{
    char text[200];

    snprintf(text, sizeof text, "{'command': 'enrolment.%s', 'id': %lld%s}", verb, (long long)id, more);
    return fixture_command(f, text, NULL);
}

/* The number of the newest row that waits; 0 for none. */
static int64_t waiting(struct fixture *f)
{
    json_t *rows = NULL;
    int64_t id = 0;

    assert_int_equal(fixture_command(f, "{'command': 'enrolment.list', 'pending': true}", &rows), OK);
    if (json_array_size(rows))
        id = json_integer_value(json_object_get(json_array_get(rows, json_array_size(rows) - 1), "id"));
    json_decref(rows);
    return id;
}

/* Device gw-1 has asked and waits. */
static struct fixture_request ask_gw_1(struct fixture *f, char password[CREDENTIAL_GENERATED_BYTES])
{
    f->config->paths[0].needs_approval = true;
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = { .username = "gw-1", .password = password };
    const struct fixture_decision *decision = fixture_ask(f, &request);
    assert_non_null(decision);
    assert_int_equal(decision->status, PENDING);
    fixture_assert_event(f, "pending: enrolment 1 waits for approval");
    return request;
}

/* ------------------------------------------------------------------------------------------ */

static void a_request_waits_until_it_is_approved_and_is_signed_at_once_then(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_request request = ask_gw_1(f, password);
    const int64_t events = store_event_newest(f->store);
    assert_int_equal(poll_for(f, "t1", 0)->status, PENDING);
    assert_int_equal(fixture_ask(f, &request)->status, PENDING);
    assert_true(store_event_newest(f->store) == events);
    assert_int_equal(f->issues_count, 0);
    f->now_s += 1000;
    assert_int_equal(command(f, "approve", waiting(f), ""), OK);
    fixture_assert_event(f, "approved: enrolment 1, by uid 0");
    fixture_signer_works(f);
    fixture_assert_event(f, "enrolled: ");
    assert_int_equal(f->issues_count, 1);
    const struct fixture_decision *polled = poll_for(f, "t1", 0);
    assert_int_equal(polled->status, OK);
    assert_true(polled->exchange == 9);
    assert_true(fixture_same_certificate(polled, fixture_ask(f, &request)));
    assert_int_equal(f->issues_count, 1);
    AUTO(cert_freep) struct cert *cert = NULL;
    assert_int_equal(cert_parse(buf_span(&polled->certificate), &cert), OK);
    assert_true(cert_not_after_s(cert) == f->now_s + YEAR_S); /* its life begins with the approval */
}

static void a_template_can_ask_for_approval_too(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    f->config->templates[0].needs_approval = true;
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = { .username = "gw-1", .password = password };
    assert_int_equal(fixture_ask(f, &request)->status, PENDING);
}

static void only_what_is_authorised_waits(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    f->config->paths[0].needs_approval = true;
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = { .username = "gw-1", .password = "wrong" };
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request.password = password;
    request.subject = "CN=gw-2";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "");
    assert_int_equal(waiting(f), 0);
}

static void another_key_or_transaction_hears_of_no_such_request(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    ask_gw_1(f, password);
    const struct fixture_decision unknown = *poll_for(f, "t2", 1);
    fixture_assert_event(f, "refused: a CertPoll for a transaction that does not exist");
    fixture_assert_refused(&unknown, SCEP_BAD_CERT_ID, "no request of this transactionID and key");
    fixture_assert_refused(poll_for(f, "t1", 1), SCEP_BAD_CERT_ID, unknown.text);
    fixture_assert_refused(poll_for(f, "t2", 0), SCEP_BAD_CERT_ID, unknown.text);
    fixture_assert_refused(poll_for(f, "", 0), SCEP_BAD_CERT_ID, unknown.text);
}

static void a_restart_forgets_nothing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    const struct fixture_request request = ask_gw_1(f, password);
    fixture_restart(f);
    assert_int_equal(poll_for(f, "t1", 0)->status, PENDING);
    assert_int_equal(f->registrar.intents.count, 0);
    assert_int_equal(command(f, "approve", 1, ""), OK);
    assert_int_equal(poll_for(f, "t1", 0)->status, PENDING); /* the signer is not there */
    fixture_restart(f);
    assert_int_equal(poll_for(f, "t1", 0)->status, PENDING);
    fixture_signer_comes(f);
    const struct fixture_decision *polled = poll_for(f, "t1", 0);
    assert_int_equal(polled->status, OK);
    fixture_restart(f);
    assert_true(fixture_same_certificate(polled, fixture_ask(f, &request)));
}

static void a_poll_while_it_is_being_signed_gets_the_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    ask_gw_1(f, password);
    assert_int_equal(command(f, "approve", 1, ""), OK);
    const struct fixture_decision *polled = poll_for(f, "t1", 0);
    assert_non_null(polled);
    assert_int_equal(polled->status, OK);
    assert_int_equal(f->issues_count, 1);
}

static void a_rejected_request_says_why_and_has_burned_its_password(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    json_t *answer = NULL;

    fixture_signer_comes(f);
    struct fixture_request request = ask_gw_1(f, password);
    assert_int_equal(command(f, "reject", 1, ", 'reason': 'not in the plan'"), OK);
    fixture_assert_event(f, "rejected: enrolment 1, by uid 0: not in the plan");
    fixture_assert_refused(poll_for(f, "t1", 0), SCEP_BAD_REQUEST, "the request was rejected: not in the plan");
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "the request was rejected: not in the plan");
    request.transaction = "t2";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "which was rejected");
    assert_int_equal(fixture_command(f, "{'command': 'device.show', 'name': 'gw-1'}", &answer), OK);
    assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "device"), "password")), "burned");
    json_decref(answer);
    /* With a new password, the same transaction and key may try again, as clients do that make one of the other. */
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1'}", &answer), OK);
    request = (struct fixture_request){ .username = "gw-1",
                                        .password = json_string_value(json_object_get(answer, "password")) };
    assert_int_equal(fixture_ask(f, &request)->status, PENDING);
    json_decref(answer);
    assert_int_equal(poll_for(f, "t1", 0)->status, PENDING);
    assert_int_equal(f->issues_count, 0);
}

static void nobody_decided_in_time_and_it_expires(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_request request = ask_gw_1(f, password);
    f->now_s += f->config->pending_lifetime_s - 1;
    assert_int_equal(poll_for(f, "t1", 0)->status, PENDING);
    f->now_s++;
    fixture_assert_refused(poll_for(f, "t1", 0), SCEP_BAD_REQUEST, "expired");
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "expired");
    assert_int_equal(waiting(f), 0);
    assert_int_equal(command(f, "approve", 1, ""), REFUSED);
    assert_non_null(strstr(fail_text(), "expired"));
    assert_int_equal(f->issues_count, 0);
}

static void a_password_is_reserved_while_its_request_waits(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    json_t *answer = NULL;

    fixture_signer_comes(f);
    struct fixture_request request = ask_gw_1(f, password);
    request.transaction = "t2";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request = (struct fixture_request){ .username = "gw-1", .password = password, .key = 1 };
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    assert_int_equal(fixture_command(f, "{'command': 'device.show', 'name': 'gw-1'}", &answer), OK);
    assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "device"), "password")), "reserved");
    json_decref(answer);
    f->now_s += 10 * 86400; /* it would have expired */
    assert_int_equal(command(f, "approve", 1, ""), OK);
    fixture_signer_works(f);
    assert_int_equal(poll_for(f, "t1", 0)->status, OK);
}

static void a_later_request_of_the_device_takes_the_place_of_the_one_that_waits(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    json_t *answer = NULL;

    fixture_signer_comes(f);
    ask_gw_1(f, password);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1'}", &answer), OK);
    const struct fixture_request request = { .username = "gw-1", .transaction = "t2", .key = 1,
                                             .password = json_string_value(json_object_get(answer, "password")) };
    assert_int_equal(fixture_ask(f, &request)->status, PENDING);
    json_decref(answer);
    fixture_assert_event(f, "enrolment 2 waits for approval, in place of an earlier one");
    fixture_assert_refused(poll_for(f, "t1", 0), SCEP_BAD_REQUEST, PENDING_REPLACED);
    assert_int_equal(waiting(f), 2);
    assert_int_equal(command(f, "approve", 1, ""), REFUSED);
}

static void a_renewal_waits_too_and_is_polled_with_the_key_that_signed_it(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    ask_gw_1(f, password);
    assert_int_equal(command(f, "approve", 1, ""), OK);
    fixture_signer_works(f);
    const struct fixture_decision *old = poll_for(f, "t1", 0);
    assert_int_equal(old->status, OK);
    const struct fixture_request renewal = { .message_type = SCEP_RENEWAL_REQ, .transaction = "t2", .key = 1,
                                             .subject = "CN=gw-1", .proof = buf_span(&old->certificate) };
    assert_int_equal(fixture_ask(f, &renewal)->status, PENDING);
    fixture_assert_refused(poll_for(f, "t2", 1), SCEP_BAD_CERT_ID, "no request");
    assert_int_equal(poll_for(f, "t2", 0)->status, PENDING);
    assert_int_equal(command(f, "approve", 2, ""), OK);
    fixture_signer_works(f);
    const struct fixture_decision *new = poll_for(f, "t2", 0);
    assert_int_equal(new->status, OK);
    assert_false(fixture_same_certificate(old, new));
}

static void a_removed_device_is_not_approved_and_hears_nothing(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    ask_gw_1(f, password);
    assert_int_equal(fixture_command(f, "{'command': 'device.remove', 'name': 'gw-1'}", NULL), OK);
    fixture_assert_refused(poll_for(f, "t1", 0), SCEP_BAD_REQUEST, "may not enrol");
    assert_int_equal(command(f, "approve", 1, ""), REFUSED);
    assert_non_null(strstr(fail_text(), "was removed"));
    f->now_s++;
    assert_int_equal(fixture_command(f, "{'command': 'device.add', 'name': 'gw-1', 'template': 'device'}", NULL), OK);
    assert_int_equal(command(f, "approve", 1, ""), REFUSED);
    fixture_assert_refused(poll_for(f, "t1", 0), SCEP_BAD_REQUEST, "may not enrol");
    assert_int_equal(command(f, "reject", 1, ", 'reason': 'gone'"), OK);
}

static void what_the_signer_refuses_after_an_approval_is_told_to_who_polls(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    f->signer_refuses = true;
    const struct fixture_request request = ask_gw_1(f, password);
    assert_int_equal(command(f, "approve", 1, ""), OK);
    fixture_signer_works(f);
    fixture_assert_refused(poll_for(f, "t1", 0), SCEP_BAD_REQUEST, "refused to issue");
    assert_int_equal(fixture_ask(f, &request)->status, PENDING); /* the password is free again */
}

static void who_never_had_to_wait_may_poll_all_the_same(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = { .username = "gw-1", .password = password };
    const struct fixture_decision *decision = fixture_ask(f, &request);
    assert_int_equal(decision->status, OK);
    assert_true(fixture_same_certificate(decision, poll_for(f, "t1", 0)));
}

static void a_decision_needs_an_enrolment_that_waits_and_a_reason_to_reject(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    ask_gw_1(f, password);
    assert_int_equal(command(f, "approve", 2, ""), BAD_INPUT);
    assert_int_equal(command(f, "show", 2, ""), BAD_INPUT);
    assert_int_equal(fixture_command(f, "{'command': 'enrolment.show'}", NULL), BAD_INPUT);
    assert_int_equal(fixture_command(f, "{'command': 'enrolment.approve', 'id': '1'}", NULL), BAD_INPUT);
    assert_int_equal(fixture_command(f, "{'command': 'enrolment.list', 'pending': 1}", NULL), BAD_INPUT);
    assert_int_equal(command(f, "reject", 1, ""), BAD_INPUT);
    assert_int_equal(command(f, "reject", 1, ", 'reason': ''"), BAD_INPUT);
    assert_int_equal(command(f, "reject", 1, ", 'reason': 'two\\nlines'"), BAD_INPUT);
    assert_int_equal(command(f, "show", 1, ""), OK);
    assert_int_equal(command(f, "approve", 1, ""), OK);
    assert_int_equal(command(f, "approve", 1, ""), REFUSED);
    assert_int_equal(command(f, "reject", 1, ", 'reason': 'late'"), REFUSED);
}

static void status_counts_what_waits(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    json_t *answer = NULL;

    ask_gw_1(f, password);
    assert_int_equal(fixture_command(f, "{'command': 'status'}", &answer), OK);
    assert_int_equal(json_integer_value(json_object_get(answer, "pending")), 1);
    json_decref(answer);
    assert_int_equal(command(f, "reject", 1, ", 'reason': 'no'"), OK);
    assert_int_equal(fixture_command(f, "{'command': 'status'}", &answer), OK);
    assert_int_equal(json_integer_value(json_object_get(answer, "pending")), 0);
    json_decref(answer);
}

/* --- What becomes of the password ------------------------------------------------------------- */

static enum status ask_with(struct fixture *f, const char *password, unsigned key, const char *transaction)
{
    struct fixture_request request = fixture_first("gw-1", password);

    request.key = key;
    request.transaction = transaction;
    return fixture_ask(f, &request)->status;
}

static void a_lasting_password_stays_good_when_a_renewal_takes_the_place_of_its_request(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *decision = fixture_enrolled(f, "gw-1", 0, password);
    fixture_issue_lasting(f, "gw-1", password);
    f->config->paths[0].needs_approval = true;
    assert_int_equal(ask_with(f, password, 1, "by password"), PENDING);
    const struct fixture_request renewal = fixture_renewal(decision, 2);
    assert_int_equal(fixture_ask(f, &renewal)->status, PENDING);
    assert_int_equal(ask_with(f, password, 3, "by password again"), PENDING);
}

static void a_rejection_burns_the_lasting_password_of_the_request_though_it_was_used_since(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    fixture_issue_lasting(f, "gw-1", password);
    f->config->paths[0].needs_approval = true;
    assert_int_equal(ask_with(f, password, 0, "t1"), PENDING);
    f->config->paths[0].needs_approval = false;
    assert_int_equal(ask_with(f, password, 1, "t2"), OK);
    assert_int_equal(command(f, "reject", 1, ", 'reason': 'no'"), OK);
    assert_int_equal(ask_with(f, password, 2, "t3"), REFUSED);
    fixture_assert_event(f, "it was burned by enrolment 1, which was rejected");
}

static void a_rejection_of_a_renewal_burns_no_password(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *decision = fixture_enrolled(f, "gw-1", 0, password);
    fixture_issue_lasting(f, "gw-1", password);
    f->config->paths[0].needs_approval = true;
    const struct fixture_request renewal = fixture_renewal(decision, 2);
    assert_int_equal(fixture_ask(f, &renewal)->status, PENDING);
    assert_int_equal(command(f, "reject", waiting(f), ", 'reason': 'no'"), OK);
    assert_int_equal(ask_with(f, password, 1, "t3"), PENDING);
}

static void a_password_that_was_issued_since_outlives_the_rejection_of_a_request(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    ask_gw_1(f, password);
    f->now_s += 10;
    fixture_issue_lasting(f, "gw-1", password);
    assert_int_equal(command(f, "reject", 1, ", 'reason': 'no'"), OK);
    assert_int_equal(ask_with(f, password, 1, "t2"), PENDING);
}

/* --- Keys that cannot decrypt, as all of the fixture's ---------------------------------------- */

static size_t sealed_bytes(struct fixture *f, int64_t enrolment)
{
    AUTO(buf_clear) struct buf sealed = { 0 };

    assert_int_equal(store_approval_get_sealed(f->store, enrolment, &sealed), OK);
    return sealed.len;
}

static void the_password_is_kept_sealed_until_the_answer_is_fetched(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    const struct fixture_request request = ask_gw_1(f, password);
    assert_true(sealed_bytes(f, 1) > strlen(password));
    assert_int_equal(poll_as(f, "t1", 0, true)->status, PENDING);
    assert_int_equal(poll_as(f, "t1", 0, true)->password.len, 0);
    assert_int_equal(command(f, "approve", 1, ""), OK);
    assert_int_equal(poll_as(f, "t1", 0, true)->status, PENDING); /* the signer is not there */
    fixture_restart(f);
    fixture_signer_comes(f);
    const struct fixture_decision *polled = poll_as(f, "t1", 0, true);
    assert_int_equal(polled->status, OK);
    assert_true(span_equal(buf_span(&polled->password), span_of_text(password)));
    assert_int_equal(sealed_bytes(f, 1), 0);
    fixture_assert_refused(poll_as(f, "t1", 0, true), SCEP_BAD_REQUEST, "send the request itself again");
    const struct fixture_decision *again = fixture_ask(f, &request);
    assert_int_equal(again->status, OK);
    assert_int_equal(again->password.len, 0);
}

static void the_username_stands_in_front_where_the_challenge_carried_it(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES], both[64];

    f->config->paths[0].needs_approval = true;
    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = { .username = "gw-1", .password = password, .username_kind = "challenge" };
    assert_int_equal(fixture_ask(f, &request)->status, PENDING);
    fixture_signer_comes(f);
    assert_int_equal(command(f, "approve", 1, ""), OK);
    fixture_signer_works(f);
    snprintf(both, sizeof both, "gw-1:%s", password);
    const struct fixture_decision *polled = poll_as(f, "t1", 0, true);
    assert_true(span_equal(buf_span(&polled->password), span_of_text(both)));
}

static void a_sealed_password_is_wiped_when_nobody_will_need_it(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    ask_gw_1(f, password);
    assert_int_equal(command(f, "reject", 1, ", 'reason': 'no'"), OK);
    assert_int_equal(sealed_bytes(f, 1), 0);
    char other[CREDENTIAL_GENERATED_BYTES];
    fixture_add_device(f, "gw-2", other);
    const struct fixture_request request = { .username = "gw-2", .password = other, .key = 1, .transaction = "t2" };
    assert_int_equal(fixture_ask(f, &request)->status, PENDING);
    assert_true(sealed_bytes(f, 2) > 0);
    f->now_s += f->config->pending_lifetime_s;
    fixture_assert_refused(poll_as(f, "t2", 1, true), SCEP_BAD_REQUEST, "expired");
    assert_int_equal(sealed_bytes(f, 2), 0);
}

static void an_answer_that_was_approved_late_can_be_fetched_all_the_same(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    ask_gw_1(f, password);
    fixture_signer_comes(f);
    f->now_s += f->config->pending_lifetime_s - 1;
    assert_int_equal(command(f, "approve", 1, ""), OK);
    fixture_signer_works(f);
    f->now_s += 3600;
    const struct fixture_decision *polled = poll_as(f, "t1", 0, true);
    assert_int_equal(polled->status, OK);
    assert_true(span_equal(buf_span(&polled->password), span_of_text(password)));
}

static void a_sealed_password_opens_with_its_key_and_enrolment_only(void **state)
{
    const struct credential_key key = { { 1 } }, other = { { 2 } };
    AUTO(buf_clear) struct buf sealed = { 0 };
    AUTO(buf_clear) struct buf password = { 0 };

    (void)state;
    assert_int_equal(seal_make(&key, 7, SPAN_LITERAL("secret"), &sealed), OK);
    assert_null(memmem(sealed.ptr, sealed.len, "secret", 6));
    assert_int_equal(seal_open(&key, 7, buf_span(&sealed), &password), OK);
    assert_true(span_equal(buf_span(&password), SPAN_LITERAL("secret")));
    assert_int_equal(seal_open(&other, 7, buf_span(&sealed), &password), BAD_PROOF);
    assert_int_equal(seal_open(&key, 8, buf_span(&sealed), &password), BAD_PROOF);
    assert_int_equal(password.len, 0);
    for (size_t i = 0; i < sealed.len; i++) {
        assert_int_equal(seal_open(&key, 7, span_of(sealed.ptr, i), &password), BAD_PROOF);
        sealed.ptr[i] ^= 1;
        assert_int_equal(seal_open(&key, 7, buf_span(&sealed), &password), BAD_PROOF);
        sealed.ptr[i] ^= 1;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_waits_until_it_is_approved_and_is_signed_at_once_then),
        TEST(a_template_can_ask_for_approval_too),
        TEST(only_what_is_authorised_waits),
        TEST(another_key_or_transaction_hears_of_no_such_request),
        TEST(a_restart_forgets_nothing),
        TEST(a_poll_while_it_is_being_signed_gets_the_certificate),
        TEST(a_rejected_request_says_why_and_has_burned_its_password),
        TEST(nobody_decided_in_time_and_it_expires),
        TEST(a_password_is_reserved_while_its_request_waits),
        TEST(a_later_request_of_the_device_takes_the_place_of_the_one_that_waits),
        TEST(a_renewal_waits_too_and_is_polled_with_the_key_that_signed_it),
        TEST(a_removed_device_is_not_approved_and_hears_nothing),
        TEST(what_the_signer_refuses_after_an_approval_is_told_to_who_polls),
        TEST(who_never_had_to_wait_may_poll_all_the_same),
        TEST(a_decision_needs_an_enrolment_that_waits_and_a_reason_to_reject),
        TEST(status_counts_what_waits),
        TEST(a_lasting_password_stays_good_when_a_renewal_takes_the_place_of_its_request),
        TEST(a_rejection_burns_the_lasting_password_of_the_request_though_it_was_used_since),
        TEST(a_rejection_of_a_renewal_burns_no_password),
        TEST(a_password_that_was_issued_since_outlives_the_rejection_of_a_request),
        TEST(the_password_is_kept_sealed_until_the_answer_is_fetched),
        TEST(the_username_stands_in_front_where_the_challenge_carried_it),
        TEST(a_sealed_password_is_wiped_when_nobody_will_need_it),
        TEST(an_answer_that_was_approved_late_can_be_fetched_all_the_same),
        TEST(a_sealed_password_opens_with_its_key_and_enrolment_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
