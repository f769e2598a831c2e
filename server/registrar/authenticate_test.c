/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/fixture.h"

#include "lib/base/test.h"
#include "lib/scep/scep.h"

static struct fixture_request first(const char *username, const char *password)
{
    return (struct fixture_request){ .username = username, .password = password };
}

static void assert_refused(const struct fixture_decision *decision, const char *words)
{
    assert_non_null(decision);
    assert_int_equal(decision->status, REFUSED);
    assert_int_equal(decision->certificate.len, 0);
    if (!strstr(decision->text, words))
        print_error("\"%s\" does not say \"%s\"\n", decision->text, words);
    assert_non_null(strstr(decision->text, words));
}

static void assert_event(struct fixture *f, const char *words)
{
    if (!strstr(fixture_newest_event(f), words))
        print_error("\"%s\" does not say \"%s\"\n", fixture_newest_event(f), words);
    assert_non_null(strstr(fixture_newest_event(f), words));
}

/* The path takes this and nothing else. */
static void take_only(struct fixture *f, enum authenticator which)
{
    f->config->paths[0].authenticators[0] = which;
    f->config->paths[0].authenticators_count = 1;
}

static struct fixture_request renewal(const struct fixture_decision *decision, uint32_t message_type)
{
    return (struct fixture_request){ .message_type = message_type, .transaction = "t2", .subject = "CN=gw-1", .key = 1,
                                     .username = "", .password = "", .proof = buf_span(&decision->certificate) };
}

/* --- Which are tried --------------------------------------------------------------------- */

static void a_path_without_authenticators_lets_nobody_in(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    f->config->paths[0].authenticators_count = 0;
    const struct fixture_request request = first("gw-1", password);
    assert_refused(fixture_ask(f, &request), "this path does not take requests");
    assert_int_equal(f->issues_count, 0);
}

static void a_path_of_passwords_alone_takes_no_certificate(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    take_only(f, AUTHENTICATOR_PASSWORD);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", password);
    const struct fixture_decision *decision = fixture_ask(f, &request);
    assert_int_equal(decision->status, OK);
    for (uint32_t i = 0; i < 2; i++) {
        request = renewal(decision, i ? SCEP_RENEWAL_REQ : SCEP_PKCS_REQ);
        assert_refused(fixture_ask(f, &request), "signed with a certificate of this CA");
    }
    assert_int_equal(f->issues_count, 1);
}

static void a_path_of_certificates_alone_takes_no_password(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", password);
    const struct fixture_decision *decision = fixture_ask(f, &request);
    assert_int_equal(decision->status, OK);
    take_only(f, AUTHENTICATOR_CERTIFICATE);
    request = first("gw-1", "wrong");
    request.transaction = "t3";
    assert_refused(fixture_ask(f, &request), "with the request's own key");
    request = renewal(decision, SCEP_RENEWAL_REQ);
    assert_int_equal(fixture_ask(f, &request)->status, OK);
}

static void what_one_authenticator_refuses_is_not_offered_to_the_next(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    json_t *answer = NULL;

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", password);
    const struct fixture_decision *decision = fixture_ask(f, &request);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1'}", &answer), OK);
    request = renewal(decision, SCEP_PKCS_REQ);
    request.username = "gw-1";
    request.password = json_string_value(json_object_get(answer, "password"));
    f->now_s += 2 * INT64_C(31536000);
    assert_refused(fixture_ask(f, &request), "expired");
    json_decref(answer);
}

static void a_wrong_challenge_in_a_renewal_is_refused(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    fixture_add_device(f, "gw-1", password);
    struct fixture_request request = first("gw-1", password);
    const struct fixture_decision *decision = fixture_ask(f, &request);
    request = renewal(decision, SCEP_RENEWAL_REQ);
    request.username = "gw-1";
    request.password = "wrong";
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_event(f, "wrong password");
    request.username = "gw-2";
    request.password = password;
    assert_refused(fixture_ask(f, &request), TEXT_NOT_ACCEPTED);
    assert_int_equal(f->issues_count, 1);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
