/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/fixture.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/test.h"
#include "lib/scep/scep.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path takes this and nothing else. */
static void take_only(struct fixture *f, enum authenticator which)
{
    f->config->paths[0].authenticators[0] = which;
    f->config->paths[0].authenticators_count = 1;
}

/* --- Which are tried --------------------------------------------------------------------- */

static void a_path_without_authenticators_lets_nobody_in(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    f->config->paths[0].authenticators_count = 0;
    const struct fixture_request request = fixture_first("gw-1", password);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "this path does not take requests");
    assert_int_equal(f->issues_count, 0);
}

static void a_path_of_passwords_alone_takes_no_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    take_only(f, AUTHENTICATOR_PASSWORD);
    const struct fixture_decision *decision = fixture_enrolled(f, "gw-1", 0, password);
    for (uint32_t i = 0; i < 2; i++) {
        struct fixture_request request = fixture_renewal(decision, 1);
        request.message_type = i ? SCEP_RENEWAL_REQ : SCEP_PKCS_REQ;
        fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "signed with a certificate of this CA");
    }
    assert_int_equal(f->issues_count, 1);
}

static void a_path_of_certificates_alone_takes_no_password(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *decision = fixture_enrolled(f, "gw-1", 0, password);
    take_only(f, AUTHENTICATOR_CERTIFICATE);
    struct fixture_request request = fixture_first("gw-1", "wrong");
    request.transaction = "t3";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "with the request's own key");
    request = fixture_renewal(decision, 1);
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void what_one_authenticator_refuses_is_not_offered_to_the_next(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    json_t *answer = NULL;

    fixture_signer_comes(f);
    const struct fixture_decision *decision = fixture_enrolled(f, "gw-1", 0, password);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1'}", &answer), OK);
    struct fixture_request request = fixture_renewal(decision, 1);
    request.message_type = SCEP_PKCS_REQ;
    request.username = "gw-1";
    request.password = json_string_value(json_object_get(answer, "password"));
    f->now_s += 2 * INT64_C(31536000);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "expired");
    json_decref(answer);
}

static void a_wrong_challenge_in_a_renewal_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *decision = fixture_enrolled(f, "gw-1", 0, password);
    struct fixture_request request = fixture_renewal(decision, 1);
    request.username = "gw-1";
    request.password = "wrong";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "wrong password");
    request.username = "gw-2";
    request.password = password;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    assert_int_equal(f->issues_count, 1);
}

/* --- Passwords that last ------------------------------------------------------------------- */

static void assert_password(struct fixture *f, const char *state)
{
    json_t *answer = NULL;

    assert_int_equal(fixture_command(f, "{'command': 'device.show', 'name': 'gw-1'}", &answer), OK);
    const json_t *device = json_object_get(answer, "device");
    assert_string_equal(json_string_value(json_object_get(device, "password")), state);
    assert_true(json_is_true(json_object_get(device, "password_lasting")));
    json_decref(answer);
}

static void a_lasting_password_gives_many_certificates_until_it_ends(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    fixture_issue_lasting(f, "gw-1", password);
    struct fixture_request request = fixture_first("gw-1", password);
    for (unsigned i = 0; i < 3; i++) {
        request.key = i;
        assert_int_equal(fixture_ask(f, &request)->status, OK);
    }
    assert_int_equal(f->issues_count, 3);
    assert_password(f, "ready");
    f->now_s += f->config->password_lifetime_s;
    request.transaction = "late";
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "the password has expired");
    assert_password(f, "expired");
}

static void a_repeat_with_a_lasting_password_gets_the_same_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    fixture_issue_lasting(f, "gw-1", password);
    struct fixture_request request = fixture_first("gw-1", password);
    const struct fixture_decision *one = fixture_ask(f, &request);
    request.key = 1;
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    request.key = 0;
    const struct fixture_decision *again = fixture_ask(f, &request);
    assert_int_equal(again->status, OK);
    assert_true(span_equal(buf_span(&one->certificate), buf_span(&again->certificate)));
    fixture_assert_event(f, "repeated: the same certificate again");
    assert_int_equal(f->issues_count, 2);
}

static void a_lasting_password_locks_and_a_new_one_ends_it(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES], once[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", once);
    fixture_issue_lasting(f, "gw-1", password);
    const struct fixture_request wrong = fixture_first("gw-1", once);
    for (int i = 0; i < 10; i++)
        fixture_assert_refused(fixture_ask(f, &wrong), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    const struct fixture_request right = fixture_first("gw-1", password);
    fixture_assert_refused(fixture_ask(f, &right), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    assert_int_equal(fixture_command(f, "{'command': 'password.unlock', 'device': 'gw-1'}", NULL), OK);
    assert_int_equal(fixture_ask(f, &right)->status, OK);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1'}", NULL), OK);
    fixture_assert_refused(fixture_ask(f, &right), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1', 'lasting': 1}", NULL), BAD_INPUT);
}

static void a_request_that_waits_does_not_reserve_a_lasting_password_and_a_rejection_burns_it(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    f->config->paths[0].needs_approval = true;
    fixture_add_device(f, "gw-1", password);
    fixture_issue_lasting(f, "gw-1", password);
    struct fixture_request request = fixture_first("gw-1", password);
    assert_int_equal(fixture_ask(f, &request)->status, PENDING);
    request.key = 1;
    assert_int_equal(fixture_ask(f, &request)->status, PENDING);
    assert_password(f, "ready");
    assert_int_equal(fixture_command(f, "{'command': 'enrolment.reject', 'id': 2, 'reason': 'no'}", NULL), OK);
    assert_password(f, "burned");
    request.key = 2;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
}

/* --- How often ---------------------------------------------------------------------------------- */

static void limit_users(struct fixture *f, unsigned per_minute)
{
    int fd = -1;

    f->config->paths[0].user_rate_per_minute = per_minute;
    rates_close(f->registrar.rules.user_rates);
    assert_int_equal(rates_create(&fd), OK);
    assert_int_equal(rates_open(fd, &f->registrar.rules.user_rates), OK);
    close(fd);
}

static void a_user_who_asks_too_often_waits_and_his_password_is_not_looked_at(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    limit_users(f, 3);
    struct fixture_request request = fixture_first("gw-1", "wrong");
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture_ask(f, &request)->retry_after_s, 0);
    fixture_assert_event(f, "wrong password, try 3");
    for (int i = 0; i < 20; i++) { /* more than would lock */
        const struct fixture_decision *decision = fixture_ask(f, &request);
        fixture_assert_refused(decision, SCEP_BAD_REQUEST, "too many requests of this user");
        assert_in_range(decision->retry_after_s, 15, 20);
    }
    request.password = password;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "too many requests of this user");
    limit_users(f, 3); /* a minute later */
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_burst_of_one_user_is_one_event(void **state)
{
    struct fixture *f = *state;

    limit_users(f, 1);
    const struct fixture_request request = fixture_first("gw-1", "wrong");
    (void)fixture_ask(f, &request);
    const int64_t before = store_event_newest(f->store);
    for (int i = 0; i < 20; i++)
        (void)fixture_ask(f, &request);
    assert_int_equal(store_event_newest(f->store), before + 1);
    fixture_assert_event(f, "too many requests of the user \"gw-1\"");
}

static void who_only_says_his_name_does_not_spend_what_its_owner_has(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    fixture_add_device(f, "gw-2", (char[CREDENTIAL_GENERATED_BYTES]){ 0 });
    struct fixture_request request = fixture_first("gw-1", password);
    const struct fixture_decision *decision = fixture_ask(f, &request);
    limit_users(f, 2);
    const struct fixture_request claim = fixture_first("gw-1", "wrong");
    for (int i = 0; i < 5; i++)
        assert_int_equal(fixture_ask(f, &claim)->status, REFUSED);
    request = fixture_renewal(decision, 1);
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "too many requests of this user");
    const struct fixture_request other = fixture_first("gw-2", "wrong");
    fixture_assert_refused(fixture_ask(f, &other), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
}

/* Else the answer would tell which there are. */
static void a_user_who_does_not_exist_has_the_same_rate(void **state)
{
    struct fixture *f = *state;

    limit_users(f, 2);
    const struct fixture_request request = fixture_first("nobody", "wrong");
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "too many requests of this user");
}

/* --- The secret of a path ------------------------------------------------------------------------- */

#define SECRET "the secret of the factory"

static void put_secret(struct fixture *f, size_t path, const char *secret)
{
    char file[300];
    struct config_path *p = &f->config->paths[path];

    snprintf(file, sizeof file, "%s/secret-%zu", f->directory, path);
    assert_int_equal(file_replace(file, span_of_text(secret), 0600), OK);
    snprintf(p->secret_file, sizeof p->secret_file, "%s", file);
    p->authenticators[0] = AUTHENTICATOR_SECRET;
    p->authenticators[1] = AUTHENTICATOR_PASSWORD;
    p->authenticators[2] = AUTHENTICATOR_CERTIFICATE;
    p->authenticators_count = 3;
}

/* Every path has a secret of its own from now on. */
static void use_secrets(struct fixture *f)
{
    log_init("test", LOG_ERROR);
    put_secret(f, 0, SECRET "\n");
    put_secret(f, 1, "the secret of the laboratory");
    fixture_restart(f);
    for (size_t i = 0; i < 2; i++) /* it is in memory now */
        assert_int_equal(unlink(f->config->paths[i].secret_file), 0);
    fixture_signer_comes(f);
}

static void the_secret_of_the_path_serves_every_device_that_exists(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    use_secrets(f);
    assert_int_equal(fixture_command(f, "{'command': 'device.add', 'name': 'gw-1', 'template': 'device'}", NULL), OK);
    fixture_add_device(f, "gw-2", password);
    struct fixture_request request = fixture_first("gw-1", SECRET);
    const struct fixture_decision *one = fixture_ask(f, &request);
    assert_int_equal(one->status, OK);
    const struct fixture_decision *again = fixture_ask(f, &request);
    assert_true(span_equal(buf_span(&one->certificate), buf_span(&again->certificate)));
    request = (struct fixture_request){ .username = "gw-2", .password = SECRET, .key = 1 };
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    request = (struct fixture_request){ .username = "gw-2", .password = password, .key = 2 };
    assert_int_equal(fixture_ask(f, &request)->status, OK); /* its own password was not burned by the secret */
    assert_int_equal(f->issues_count, 3);
    request = fixture_first("gw-3", SECRET);
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "unknown user \"gw-3\"");
    assert_int_equal(fixture_command(f, "{'command': 'device.remove', 'name': 'gw-2'}", NULL), OK);
    request = (struct fixture_request){ .username = "gw-2", .password = SECRET, .key = 1, .transaction = "t5" };
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
}

static void the_secret_of_another_path_or_a_wrong_one_is_refused(void **state)
{
    struct fixture *f = *state;

    use_secrets(f);
    assert_int_equal(fixture_command(f, "{'command': 'device.add', 'name': 'gw-1', 'template': 'device'}", NULL), OK);
    const char *const wrong[] = { "the secret of the laboratory", SECRET "\n", "", "the secret of the factor" };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const struct fixture_request request = fixture_first("gw-1", wrong[i]);
        fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    }
    struct fixture_request request = fixture_first("gw-1", SECRET);
    request.subject = "CN=gw-2"; /* the name of another one */
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, "");
    assert_int_equal(f->issues_count, 0);
}

static void a_wrong_secret_is_not_counted_against_the_user_where_passwords_do_not_serve(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    use_secrets(f);
    fixture_add_device(f, "gw-1", password);
    take_only(f, AUTHENTICATOR_SECRET);
    struct fixture_request request = fixture_first("gw-1", "not the secret at all");
    for (int i = 0; i < 12; i++)
        fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    fixture_assert_event(f, "not the secret of the path");
    request.password = SECRET;
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_locked_user_is_locked_for_the_secret_too(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    use_secrets(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = fixture_first("gw-1", "wrong");
    for (int i = 0; i < 10; i++)
        fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request.password = SECRET;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
}

static void a_renewal_may_bring_the_secret_of_its_path(void **state)
{
    struct fixture *f = *state;

    use_secrets(f);
    assert_int_equal(fixture_command(f, "{'command': 'device.add', 'name': 'gw-1', 'template': 'device'}", NULL), OK);
    struct fixture_request request = fixture_first("gw-1", SECRET);
    const struct fixture_decision *decision = fixture_ask(f, &request);
    request = fixture_renewal(decision, 1);
    request.username = "gw-2";
    request.password = SECRET;
    fixture_assert_refused(fixture_ask(f, &request), SCEP_BAD_REQUEST, TEXT_NOT_ACCEPTED);
    request.username = "gw-1";
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void a_secret_that_others_may_read_or_that_is_short_is_no_start(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_clear) struct buf secret = { 0 };
    struct config_path *path = &f->config->paths[0];

    put_secret(f, 0, "too short\n");
    assert_int_equal(config_read_secret(path, &secret), BAD_INPUT);
    put_secret(f, 0, SECRET);
    assert_int_equal(chmod(path->secret_file, 0640), 0);
    assert_int_equal(config_read_secret(path, &secret), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "chmod 600"));
    assert_int_equal(unlink(path->secret_file), 0);
    assert_int_equal(config_read_secret(path, &secret), FAULT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_without_authenticators_lets_nobody_in),
        TEST(a_path_of_passwords_alone_takes_no_certificate),
        TEST(a_path_of_certificates_alone_takes_no_password),
        TEST(what_one_authenticator_refuses_is_not_offered_to_the_next),
        TEST(a_wrong_challenge_in_a_renewal_is_refused),
        TEST(a_lasting_password_gives_many_certificates_until_it_ends),
        TEST(a_repeat_with_a_lasting_password_gets_the_same_certificate),
        TEST(a_lasting_password_locks_and_a_new_one_ends_it),
        TEST(a_request_that_waits_does_not_reserve_a_lasting_password_and_a_rejection_burns_it),
        TEST(a_user_who_asks_too_often_waits_and_his_password_is_not_looked_at),
        TEST(a_burst_of_one_user_is_one_event),
        TEST(who_only_says_his_name_does_not_spend_what_its_owner_has),
        TEST(a_user_who_does_not_exist_has_the_same_rate),
        TEST(the_secret_of_the_path_serves_every_device_that_exists),
        TEST(the_secret_of_another_path_or_a_wrong_one_is_refused),
        TEST(a_wrong_secret_is_not_counted_against_the_user_where_passwords_do_not_serve),
        TEST(a_locked_user_is_locked_for_the_secret_too),
        TEST(a_renewal_may_bring_the_secret_of_its_path),
        TEST(a_secret_that_others_may_read_or_that_is_short_is_no_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
