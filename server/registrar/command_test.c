/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/fixture.h"

#include "lib/base/test.h"

#include <stdio.h>

/* The answer to a command that must succeed. */
static json_t *ask(struct fixture *f, const char *command)
{
    json_t *answer = NULL;

    if (fixture_command(f, command, &answer) != OK)
        print_error("%s: %s\n", command, fail_text());
    assert_non_null(answer);
    return answer;
}

static void assert_fails(struct fixture *f, enum status status, const char *command, const char *words)
{
    const int64_t events = store_event_newest(f->store);

    assert_int_equal(fixture_command(f, command, NULL), status);
    if (!strstr(fail_text(), words))
        print_error("\"%s\" does not say \"%s\"\n", fail_text(), words);
    assert_non_null(strstr(fail_text(), words));
    assert_true(store_event_newest(f->store) == events);
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    assert_non_null(text);
    return text;
}

/* A device whose one certificate was issued; its serial number. */
static void enrol(struct fixture *f, const char *name, unsigned key, char serial[2 * CERT_SERIAL_MAX_BYTES + 1])
{
    char password[CREDENTIAL_GENERATED_BYTES], command[120];

    fixture_add_device(f, name, password);
    const struct fixture_request request = { .username = name, .password = password, .key = key };
    assert_int_equal(fixture_ask(f, &request)->status, OK);
    snprintf(command, sizeof command, "{'command': 'certificate.list', 'device': '%s'}", name);
    json_t *rows = ask(f, command);
    assert_int_equal(json_array_size(rows), 1);
    snprintf(serial, 2 * CERT_SERIAL_MAX_BYTES + 1, "%s", text_of(json_array_get(rows, 0), "serial"));
    json_decref(rows);
}

/* ------------------------------------------------------------------------------------------ */

static void what_is_not_a_command_is_told_so(void **state)
{
    assert_fails(*state, BAD_INPUT, "{}", "expected an object with a member \"command\"");
    assert_fails(*state, BAD_INPUT, "{'command': 7}", "expected an object");
    assert_fails(*state, BAD_INPUT, "{'command': 'device.explode'}", "there is no command \"device.explode\"");
    assert_fails(*state, BAD_INPUT, "{'command': 'status', 'verbose': true}", "status does not take \"verbose\"");
}

static void a_bad_argument_is_named_and_changes_nothing(void **state)
{
    static const struct {
        const char *command;
        const char *words;
    } cases[] = {
        { "{'command': 'device.add', 'template': 'device'}", "\"name\" is missing" },
        { "{'command': 'device.add', 'name': 7, 'template': 'device'}", "\"name\" is not a text" },
        { "{'command': 'device.add', 'name': 'a b', 'template': 'device'}", "letter or digit first" },
        { "{'command': 'device.add', 'name': 'x,O=evil', 'template': 'device'}", "letter or digit first" },
        { "{'command': 'device.add', 'name': '-x', 'template': 'device'}", "letter or digit first" },
        { "{'command': 'device.add', 'name': 'gw-1', 'template': 'none'}", "there is no template \"none\"" },
        { "{'command': 'device.add', 'name': 'gw-1', 'template': 'device', 'path': 'none'}", "there is no path \"none\"" },
        { "{'command': 'device.add', 'name': 'gw-1', 'template': 'device', 'path': 'lab'}", "does not give out" },
        { "{'command': 'device.show', 'name': 'nobody'}", "there is no device \"nobody\"" },
        { "{'command': 'device.remove', 'name': 'nobody'}", "there is no device \"nobody\"" },
        { "{'command': 'device.list', 'limit': 0}", "at least 1" },
        { "{'command': 'device.list', 'template': 'none'}", "there is no template" },
        { "{'command': 'password.issue', 'device': 'nobody'}", "there is no device \"nobody\"" },
        { "{'command': 'certificate.list', 'state': 'good'}", "expected valid, expired or revoked" },
        { "{'command': 'certificate.list', 'after': '4d'}", "no certificate of that serial" },
        { "{'command': 'certificate.show', 'serial': 'xyz'}", "not hexadecimal" },
        { "{'command': 'certificate.show', 'serial': '4d'}", "no certificate of that serial" },
        { "{'command': 'certificate.revoke', 'serial': '4d', 'reason': 'bored'}", "expected unspecified" },
        { "{'command': 'event.list', 'follow': 'yes'}", "neither true nor false" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_fails(*state, BAD_INPUT, cases[i].command, cases[i].words);
}

static void a_new_device_comes_with_everything_its_profile_needs(void **state)
{
    struct fixture *f = *state;
    char fingerprint[2 * SHA256_BYTES + 1];

    json_t *answer = ask(f, "{'command': 'device.add', 'name': 'gw-1', 'template': 'device', 'username': 'urn:gw/1'}");
    const json_t *device = json_object_get(answer, "device"), *profile = json_object_get(answer, "profile");
    assert_string_equal(text_of(device, "path"), "factory");
    assert_string_equal(text_of(device, "state"), "active");
    assert_string_equal(text_of(device, "password"), "none");
    assert_string_equal(text_of(profile, "server_url"), "http://ca.example.org:8080/scep/factory");
    assert_string_equal(text_of(profile, "username"), "urn:gw/1");
    assert_string_equal(text_of(profile, "username_form"), "dns");
    assert_string_equal(text_of(profile, "subject"), "CN=gw-1");
    assert_string_equal(json_string_value(json_array_get(json_object_get(profile, "subject_alt_name"), 0)),
                        "DNS:gw-1.example.org");
    assert_int_equal(json_integer_value(json_object_get(profile, "key_size")), 3072);
    uint8_t hash[SHA256_BYTES];
    cert_fingerprint(f->ca, hash);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(fingerprint + 2 * i, 3, "%02x", hash[i]);
    assert_string_equal(text_of(profile, "ca_fingerprint"), fingerprint);
    json_decref(answer);
    assert_fails(f, REFUSED, "{'command': 'device.add', 'name': 'gw-1', 'template': 'device'}", "already");
    assert_fails(f, REFUSED, "{'command': 'device.add', 'name': 'gw-2', 'template': 'device', 'username': 'urn:gw/1'}",
                 "belongs to device \"gw-1\"");
}

static void a_password_goes_through_its_states(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    static const char show[] = "{'command': 'device.show', 'name': 'gw-1'}";
    const char *const states[] = { "ready", "expired", "reserved", "burned" };

    fixture_add_device(f, "gw-1", password);
    const struct fixture_request request = { .username = "gw-1", .password = password };
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (i == 1)
            f->now_s += 86400;
        if (i == 2) {
            f->now_s -= 86400;
            fixture_send(f, &request);
        }
        if (i == 3)
            fixture_signer_comes(f);
        json_t *answer = ask(f, show);
        assert_string_equal(text_of(json_object_get(answer, "device"), "password"), states[i]);
        json_decref(answer);
    }
}

static void generated_passwords_have_26_letters_and_digits_and_are_all_different(void **state)
{
    struct fixture *f = *state;
    char one[CREDENTIAL_GENERATED_BYTES], two[CREDENTIAL_GENERATED_BYTES];

    fixture_add_device(f, "gw-1", one);
    fixture_add_device(f, "gw-2", two);
    assert_int_equal(strlen(one), 26);
    assert_int_equal(strspn(one, "abcdefghijklmnopqrstuvwxyz234567"), 26);
    assert_string_not_equal(one, two);
}

static void no_password_stands_in_the_ledger(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];
    static uint8_t content[1 << 22];

    fixture_add_device(f, "gw-1", password);
    assert_int_equal(fixture_command(f, "{'command': 'password.issue', 'device': 'gw-1', 'password': 'correct horse'}",
                                     NULL), OK);
    fixture_stop(f); /* everything into one file */
    FILE *file = fopen(f->ledger, "rb");
    assert_non_null(file);
    const size_t len = fread(content, 1, sizeof content, file);
    fclose(file);
    assert_true(len > 4096 && len < sizeof content);
    assert_non_null(memmem(content, len, "gw-1", 4));
    assert_null(memmem(content, len, password, strlen(password)));
    assert_null(memmem(content, len, "correct horse", 13));
    fixture_start(f);
}

static void a_certificate_is_shown_listed_by_state_and_revoked_once(void **state)
{
    struct fixture *f = *state;
    char one[2 * CERT_SERIAL_MAX_BYTES + 1], two[2 * CERT_SERIAL_MAX_BYTES + 1], command[160];

    fixture_signer_comes(f);
    enrol(f, "gw-1", 0, one);
    enrol(f, "gw-2", 1, two);
    snprintf(command, sizeof command, "{'command': 'certificate.revoke', 'serial': '%s', 'reason': 'superseded'}", one);
    json_t *answer = ask(f, command);
    const json_t *certificate = json_object_get(answer, "certificate");
    assert_string_equal(text_of(certificate, "state"), "revoked");
    assert_string_equal(text_of(certificate, "reason"), "superseded");
    assert_int_equal(json_integer_value(json_object_get(certificate, "revoked_s")), FIXTURE_NOW_S);
    json_decref(answer);
    assert_fails(f, REFUSED, command, "revoked already");
    snprintf(command, sizeof command, "{'command': 'certificate.show', 'serial': '%s'}", two);
    answer = ask(f, command);
    certificate = json_object_get(answer, "certificate");
    assert_non_null(strstr(text_of(certificate, "pem"), "-----BEGIN CERTIFICATE-----"));
    assert_string_equal(text_of(certificate, "subject_alt_name"), "DNS:gw-2.example.org");
    json_decref(answer);
    answer = ask(f, "{'command': 'certificate.list', 'state': 'valid'}");
    assert_int_equal(json_array_size(answer), 1);
    assert_string_equal(text_of(json_array_get(answer, 0), "serial"), two);
    json_decref(answer);
    snprintf(command, sizeof command, "{'command': 'certificate.list', 'after': '%s'}", one);
    answer = ask(f, command);
    assert_int_equal(json_array_size(answer), 1);
    json_decref(answer);
}

static void the_status_counts_what_there_is(void **state)
{
    struct fixture *f = *state;
    char serial[2 * CERT_SERIAL_MAX_BYTES + 1];

    fixture_signer_comes(f);
    enrol(f, "gw-1", 0, serial);
    f->now_s += 2 * INT64_C(31536000);
    json_t *answer = ask(f, "{'command': 'status'}");
    assert_int_equal(json_integer_value(json_object_get(answer, "certificates")), 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "expired")), 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "valid")), 0);
    assert_int_equal(json_integer_value(json_object_get(answer, "journal_sequence")), 1);
    assert_string_equal(text_of(answer, "signer"), "connected");
    assert_int_equal(json_array_size(json_object_get(answer, "paths")), 2);
    assert_string_equal(text_of(json_array_get(json_object_get(answer, "authorities"), 0), "subject"), "CN=Issuing CA");
    json_decref(answer);
}

static void events_are_listed_after_a_number_and_up_to_a_limit(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_add_device(f, "gw-1", password);
    fixture_add_device(f, "gw-2", password);
    json_t *rows = ask(f, "{'command': 'event.list'}");
    assert_int_equal(json_array_size(rows), 4);
    assert_string_equal(text_of(json_array_get(rows, 1), "kind"), "password-issued");
    json_decref(rows);
    rows = ask(f, "{'command': 'event.list', 'after': 1, 'limit': 2}");
    assert_int_equal(json_array_size(rows), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "id")), 2);
    json_decref(rows);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_a_command_is_told_so),
        TEST(a_bad_argument_is_named_and_changes_nothing),
        TEST(a_new_device_comes_with_everything_its_profile_needs),
        TEST(a_password_goes_through_its_states),
        TEST(generated_passwords_have_26_letters_and_digits_and_are_all_different),
        TEST(no_password_stands_in_the_ledger),
        TEST(a_certificate_is_shown_listed_by_state_and_revoked_once),
        TEST(the_status_counts_what_there_is),
        TEST(events_are_listed_after_a_number_and_up_to_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
