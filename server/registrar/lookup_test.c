/* SPDX-License-Identifier: Apache-2.0
 *
 * GetCert: who gets a copy of which certificate.
 */
#include "server/registrar/fixture.h"

#include "lib/base/test.h"

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
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    const struct fixture_decision *two = fixture_enrolled(f, "gw-2", 1, password);
    assert_int_equal(cert_parse(buf_span(&two->certificate), &cert), OK);
    const struct fixture_decision *copy = look_up(f, "factory", buf_span(&one->certificate), cert_get_serial(cert));
    assert_int_equal(copy->status, OK);
    assert_true(copy->exchange == 7 && fixture_same_certificate(copy, two));
    fixture_assert_event(f, "fetched: ");
    assert_int_equal(f->issues_count, 2);
}

static void what_is_not_there_is_bad_cert_id_and_one_event(void **state)
{
    struct fixture *f = *state;
    char password[CREDENTIAL_GENERATED_BYTES];

    fixture_signer_comes(f);
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    const int64_t before = store_event_newest(f->store);
    const struct fixture_decision *none = look_up(f, "factory", buf_span(&one->certificate), SPAN_LITERAL("\x05"));
    assert_int_equal(none->status, REFUSED);
    assert_int_equal(none->fail_info, SCEP_BAD_CERT_ID);
    fixture_assert_event(f, "refused: asks for the certificate 05, which does not exist");
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
    const struct fixture_decision *one = fixture_enrolled(f, "gw-1", 0, password);
    assert_int_equal(cert_parse(buf_span(&one->certificate), &cert), OK);
    const struct span serial = cert_get_serial(cert), proof = buf_span(&one->certificate);
    fixture_assert_refused(look_up(f, "factory", span_of(NULL, 0), serial), SCEP_BAD_REQUEST, "that this CA has issued");
    fixture_assert_refused(look_up(f, "factory", cert_get_der(f->ca), serial), SCEP_BAD_REQUEST, "not known here");
    fixture_assert_refused(look_up(f, "nowhere", proof, serial), SCEP_BAD_REQUEST, "no such enrolment path");
    f->now_s += 2 * INT64_C(31536000);
    fixture_assert_refused(look_up(f, "factory", proof, serial), SCEP_BAD_REQUEST, "expired");
    f->now_s = FIXTURE_NOW_S;
    fixture_revoke(f, one);
    fixture_assert_refused(look_up(f, "factory", proof, serial), SCEP_BAD_REQUEST, "revoked");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_device_gets_a_copy_of_a_certificate_by_its_serial_number),
        TEST(what_is_not_there_is_bad_cert_id_and_one_event),
        TEST(a_copy_is_for_valid_certificates_of_ours_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
