/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"
#include "server/registrar/fixture.h"

#include <stdio.h>

/* What the supervisor was answered; one test at a time. */
static struct {
    unsigned count;
    enum status status;
    char reason[600];
    struct buf certificate;
} heard;

static struct outlet fixtures_outlet;

static enum status catch_certified(void *context, enum ipc_role to, uint32_t number, const struct ipc_message *message)
{
    if (to != IPC_SUPERVISOR)
        return fixtures_outlet.send(context, to, number, message);
    assert_int_equal(message->kind, IPC_KIND_certified);
    assert_true(span_equal(message->certified.section, SPAN_LITERAL("own")) || message->certified.status != OK);
    heard.count++;
    heard.status = (enum status)message->certified.status;
    assert_int_equal(span_to_text(message->certified.reason, heard.reason, sizeof heard.reason), OK);
    return buf_set(&heard.certificate, message->certified.certificate);
}

/* As the configuration makes it of a section `tls own { names = {"pki.example"} issue_from = issuing }`. */
static void add_section(struct config *config)
{
    struct config_tls *tls = &config->tls[config->tls_count++];
    struct template *t = &config->templates[config->templates_count];

    snprintf(tls->name, sizeof tls->name, "own");
    snprintf(tls->names[tls->names_count++], sizeof tls->names[0], "pki.example");
    tls->template = config->templates_count++;
    *t = config->templates[0];
    snprintf(t->name, sizeof t->name, "tls:own");
    snprintf(t->subject, sizeof t->subject, "CN=pki.example");
    snprintf(t->san[0], sizeof t->san[0], "DNS:pki.example");
    t->san_count = 1;
    t->lifetime_s = 90 * 86400;
}

static void listen_to(struct fixture *f)
{
    fixtures_outlet = f->registrar.outlet;
    f->registrar.outlet.send = catch_certified;
}

static int set_up(void **state)
{
    assert_int_equal(fixture_set_up(state), 0);
    struct fixture *f = *state;
    add_section(f->config);
    listen_to(f);
    heard.count = 0;
    return 0;
}

static int tear_down(void **state)
{
    buf_clear(&heard.certificate);
    return fixture_tear_down(state);
}

static void certify(struct fixture *f, const char *section, unsigned key)
{
    const struct ipc_message message = {
        .kind = IPC_KIND_certify,
        .fd = -1,
        .certify = { .section = span_of_text(section),
                     .spki = public_key_get_spki(private_key_get_public(fixture_key(key))) },
    };

    assert_int_equal(store_begin(f->store), OK);
    assert_int_equal(registrar_take(&f->registrar, IPC_SUPERVISOR, 0, &message, f->now_s), OK);
    assert_int_equal(store_commit(f->store), OK);
}

static void a_key_of_the_servers_own_is_certified_with_the_sections_names(void **state)
{
    struct fixture *f = *state;
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(buf_clear) struct buf names = { 0 };

    fixture_signer_comes(f);
    certify(f, "own", 0);
    assert_int_equal(heard.count, 0); /* nothing is answered before it is signed */
    fixture_signer_works(f);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, OK);
    assert_int_equal(cert_parse(buf_span(&heard.certificate), &cert), OK);
    assert_true(span_equal(cert_get_spki(cert), public_key_get_spki(private_key_get_public(fixture_key(0)))));
    assert_int_equal(general_names_format(cert_get_subject_alt_name(cert), &names), OK);
    assert_string_equal(buf_text(&names), "DNS:pki.example");
    assert_true(cert_not_after_s(cert) == FIXTURE_NOW_S + 90 * 86400);
    assert_string_equal(fixture_newest_event(f), "enrolled: template tls:own, authority issuing");
    assert_int_equal(f->registrar.intents.count, 0);
}

static void what_is_no_section_or_no_key_for_it_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct ipc_message broken = {
        .kind = IPC_KIND_certify, .fd = -1, .certify = { .section = SPAN_LITERAL("own"), .spki = SPAN_LITERAL("x") }
    };

    fixture_signer_comes(f);
    certify(f, "other", 0);
    assert_int_equal(heard.status, REFUSED);
    assert_non_null(strstr(heard.reason, "no tls section of that name"));
    f->config->tls[0].issue_from = CONFIG_NONE;
    certify(f, "own", 0);
    assert_int_equal(heard.status, REFUSED);
    f->config->tls[0].issue_from = 0;
    assert_int_equal(registrar_take(&f->registrar, IPC_SUPERVISOR, 0, &broken, f->now_s), OK);
    assert_int_equal(heard.status, BAD_INPUT);
    assert_int_equal(heard.count, 3);
    assert_int_equal(f->issues_count, 0);
}

static void what_the_signer_refuses_is_answered_so(void **state)
{
    struct fixture *f = *state;

    f->signer_refuses = true;
    fixture_signer_comes(f);
    certify(f, "own", 0);
    fixture_signer_works(f);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, REFUSED);
    assert_non_null(strstr(heard.reason, "refused to issue"));
}

static void asking_again_for_a_key_that_is_under_way_makes_no_second_certificate(void **state)
{
    struct fixture *f = *state;

    certify(f, "own", 0); /* no signer yet */
    fixture_restart(f);
    listen_to(f);
    certify(f, "own", 0);
    assert_int_equal(f->registrar.intents.count, 1);
    fixture_signer_comes(f);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, OK);
    assert_int_equal(f->issues_count, 1);
}

static void one_that_was_signed_before_a_crash_is_completed_from_the_journal(void **state)
{
    struct fixture *f = *state;

    f->signer_loses = true;
    fixture_signer_comes(f);
    certify(f, "own", 0);
    fixture_signer_works(f);
    assert_int_equal(heard.count, 0);
    f->signer_loses = false;
    fixture_restart(f);
    listen_to(f);
    certify(f, "own", 0);
    fixture_signer_comes(f);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, OK);
    assert_int_equal(f->journal_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_of_the_servers_own_is_certified_with_the_sections_names),
        TEST(what_is_no_section_or_no_key_for_it_is_refused),
        TEST(what_the_signer_refuses_is_answered_so),
        TEST(asking_again_for_a_key_that_is_under_way_makes_no_second_certificate),
        TEST(one_that_was_signed_before_a_crash_is_completed_from_the_journal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
