/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trust.h"

#include "agent/fixture.h"
#include "lib/base/clock.h"
#include "lib/base/test.h"
#include "lib/base/text.h"

#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define CMC_RA "1.3.6.1.5.5.7.3.28"

/* root -> middle -> issuing -> ra, and a hierarchy of somebody else with the same names. */
static struct party root, middle, issuing, ra, foreign_root, foreign_issuing, foreign_ra;

static int make_hierarchies(void **state)
{
    (void)state;
    party_make(&root, &(struct draft){ .name = "CN=Root", .is_ca = true });
    party_make(&middle, &(struct draft){ .name = "CN=Middle", .issuer = &root, .is_ca = true });
    party_make(&issuing, &(struct draft){ .name = "CN=Issuing", .issuer = &middle, .is_ca = true });
    party_make(&ra, &(struct draft){ .name = "CN=RA", .issuer = &issuing });
    party_make(&foreign_root, &(struct draft){ .name = "CN=Root", .is_ca = true });
    party_make(&foreign_issuing, &(struct draft){ .name = "CN=Issuing", .issuer = &foreign_root, .is_ca = true });
    party_make(&foreign_ra, &(struct draft){ .name = "CN=RA", .issuer = &foreign_issuing });
    return 0;
}

static int clear_hierarchies(void **state)
{
    struct party *all[] = { &root, &middle, &issuing, &ra, &foreign_root, &foreign_issuing, &foreign_ra };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        party_clear(all[i]);
    return 0;
}

#define PARTIES_MAX 8

/* What the server sends, in this order; the anchor is always `root`. */
static enum status build(struct trust *trust, const struct party *const parties[PARTIES_MAX])
{
    struct cert_list list = { 0 };
    uint8_t pin[SHA256_BYTES];

    for (size_t i = 0; i < PARTIES_MAX && parties[i]; i++)
        must(cert_list_append(&list, party_copy_cert(parties[i])), "list");
    cert_fingerprint(root.cert, pin);
    TRY(trust_offer(trust, &list));
    TRY(trust_find_anchor(trust, span_of(pin, sizeof pin)));
    return trust_build(trust, clock_now_s());
}

#define BUILD(trust, ...) build(trust, (const struct party *const[PARTIES_MAX]){ __VA_ARGS__ })

static bool is_same(const struct cert *cert, const struct party *party)
{
    return span_equal(cert_get_der(cert), cert_get_der(party->cert));
}

static void the_order_in_the_bundle_does_not_matter(void **state)
{
    const struct party *const all[] = { &root, &middle, &issuing, &ra };

    (void)state;
    for (size_t order = 0; order < 24; order++) {
        AUTO(trust_clear) struct trust trust = { 0 };
        const struct party *parties[PARTIES_MAX] = { 0 };
        size_t rest = order, at = 0;
        bool used[4] = { 0 };
        for (size_t left = 4; left; rest /= left, left--)
            for (size_t i = 0, skip = rest % left; i < 4; i++)
                if (!used[i] && skip-- == 0) {
                    used[i] = true;
                    parties[at++] = all[i];
                    break;
                }
        assert_int_equal(build(&trust, parties), OK);
        assert_int_equal(trust.authorities.count, 3);
        assert_true(is_same(trust.issuing, &issuing));
        assert_true(is_same(trust.encryption, &ra));
        assert_int_equal(trust.signers.count, 1);
    }
}

static void a_wrong_fingerprint_is_refused_and_both_are_told(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    uint8_t pin[SHA256_BYTES];
    char wanted[2 * SHA256_BYTES + 1], offered[2 * SHA256_BYTES + 1];

    (void)state;
    assert_int_equal(BUILD(&trust, &foreign_root, &foreign_issuing, &foreign_ra), BAD_PROOF);
    cert_fingerprint(root.cert, pin);
    hex_encode(span_of(pin, sizeof pin), wanted);
    cert_fingerprint(foreign_root.cert, pin);
    hex_encode(span_of(pin, sizeof pin), offered);
    assert_non_null(strstr(fail_text(), wanted));
    assert_non_null(strstr(fail_text(), offered));
    assert_int_equal(trust.authorities.count, 0);
}

static void a_pin_of_another_length_matches_nothing(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    struct cert_list list = { 0 };

    (void)state;
    must(cert_list_append(&list, party_copy_cert(&root)), "list");
    assert_int_equal(trust_offer(&trust, &list), OK);
    assert_int_equal(trust_find_anchor(&trust, span_of(NULL, 0)), BAD_PROOF);
}

static void a_fingerprint_of_a_leaf_is_no_anchor(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    struct cert_list list = { 0 };
    uint8_t pin[SHA256_BYTES];

    (void)state;
    must(cert_list_append(&list, party_copy_cert(&ra)), "list");
    cert_fingerprint(ra.cert, pin);
    assert_int_equal(trust_offer(&trust, &list), OK);
    assert_int_equal(trust_find_anchor(&trust, span_of(pin, sizeof pin)), BAD_PROOF);
}

static void a_foreign_ca_in_the_bundle_is_not_believed(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };

    (void)state;
    assert_int_equal(BUILD(&trust, &foreign_ra, &foreign_root, &foreign_issuing, &ra, &root, &middle, &issuing), OK);
    assert_int_equal(trust.authorities.count, 3);
    assert_true(is_same(trust.encryption, &ra));
    assert_int_equal(trust.signers.count, 1);
}

static void an_intermediate_with_the_right_name_and_the_wrong_signature_is_refused(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };

    (void)state;
    assert_int_equal(BUILD(&trust, &root, &foreign_issuing, &foreign_ra), BAD_PROOF);
    assert_non_null(strstr(fail_text(), "RA certificates"));
}

static void an_ra_without_its_issuer_in_the_bundle_is_refused(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };

    (void)state;
    assert_int_equal(BUILD(&trust, &root, &issuing, &ra), BAD_PROOF);
}

static void an_enrolled_device_cannot_pose_as_ra(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    AUTO(party_clear) struct party device;

    (void)state;
    party_make(&device, &(struct draft){ .name = "CN=Device", .issuer = &issuing,
                                         .extended_key_usage = CLIENT_AUTH });
    assert_int_equal(BUILD(&trust, &root, &middle, &issuing, &device), BAD_PROOF);
}

static void an_ra_that_is_certified_as_one_is_taken(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    AUTO(party_clear) struct party cmc;

    (void)state;
    party_make(&cmc, &(struct draft){ .name = "CN=CMC", .issuer = &issuing, .extended_key_usage = CMC_RA });
    assert_int_equal(BUILD(&trust, &root, &middle, &issuing, &cmc), OK);
    assert_true(is_same(trust.encryption, &cmc));
}

static void separate_certificates_are_told_apart_by_their_usage(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    AUTO(party_clear) struct party opens;
    AUTO(party_clear) struct party signs;
    struct private_key *key = NULL; /* an EC key enciphers nothing */

    (void)state;
    must(private_key_generate((struct key_spec){ KEY_RSA, 2048 }, &key), "key");
    party_make(&opens, &(struct draft){ .name = "CN=Opens", .issuer = &middle, .key = key,
                                        .key_usage = KEY_USAGE_KEY_ENCIPHERMENT });
    party_make(&signs, &(struct draft){ .name = "CN=Signs", .issuer = &middle,
                                        .key_usage = KEY_USAGE_DIGITAL_SIGNATURE });
    assert_int_equal(BUILD(&trust, &signs, &opens, &issuing, &middle, &root), OK);
    assert_true(is_same(trust.encryption, &opens));
    assert_int_equal(trust.signers.count, 1);
    assert_true(is_same(trust.signers.items[0], &signs));
}

static void the_usage_of_a_single_ra_is_not_looked_at(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    AUTO(party_clear) struct party single;

    (void)state;
    party_make(&single, &(struct draft){ .name = "CN=Single", .issuer = &issuing,
                                         .key_usage = KEY_USAGE_DIGITAL_SIGNATURE });
    assert_int_equal(BUILD(&trust, &single, &issuing, &middle, &root), OK);
    assert_true(is_same(trust.encryption, &single));
    assert_true(is_same(trust.signers.items[0], &single));
}

static void without_an_ra_the_issuing_ca_does_its_work(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };

    (void)state;
    assert_int_equal(BUILD(&trust, &middle, &issuing, &root), OK);
    assert_true(is_same(trust.encryption, &issuing));
    assert_true(is_same(trust.signers.items[0], &issuing));
}

static void an_expired_ra_is_refused(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    AUTO(party_clear) struct party expired;

    (void)state;
    party_make(&expired, &(struct draft){ .name = "CN=Old RA", .issuer = &issuing,
                                          .not_after_s = clock_now_s() - 60 });
    assert_int_equal(BUILD(&trust, &expired, &issuing, &middle, &root), BAD_PROOF);
}

static void a_leafs_chain_ends_below_the_anchor(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    struct trust_row chain;

    (void)state;
    assert_int_equal(BUILD(&trust, &root, &middle, &issuing, &ra), OK);
    assert_int_equal(trust_find_chain(&trust, ra.cert, clock_now_s(), &chain), OK);
    assert_int_equal(chain.count, 2);
    assert_true(is_same(chain.items[0], &issuing));
    assert_true(is_same(chain.items[1], &middle));
    assert_int_equal(trust_find_chain(&trust, foreign_ra.cert, clock_now_s(), &chain), BAD_PROOF);
}

static void an_intermediate_that_came_with_the_reply_is_proved_too(void **state)
{
    AUTO(trust_clear) struct trust trust = { 0 };
    AUTO(party_clear) struct party gate;
    struct cert_list late = { 0 };
    struct trust_row chain;

    (void)state;
    party_make(&gate, &(struct draft){ .name = "CN=RA 2", .issuer = &middle });
    assert_int_equal(BUILD(&trust, &root, &middle, &gate), OK);
    assert_int_equal(trust_find_chain(&trust, ra.cert, clock_now_s(), &chain), BAD_PROOF);
    must(cert_list_append(&late, party_copy_cert(&foreign_issuing)), "list");
    must(cert_list_append(&late, party_copy_cert(&issuing)), "list");
    assert_int_equal(trust_offer(&trust, &late), OK);
    trust_extend(&trust, clock_now_s());
    assert_int_equal(trust_find_chain(&trust, ra.cert, clock_now_s(), &chain), OK);
    assert_int_equal(chain.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_in_the_bundle_does_not_matter),
        cmocka_unit_test(a_wrong_fingerprint_is_refused_and_both_are_told),
        cmocka_unit_test(a_pin_of_another_length_matches_nothing),
        cmocka_unit_test(a_fingerprint_of_a_leaf_is_no_anchor),
        cmocka_unit_test(a_foreign_ca_in_the_bundle_is_not_believed),
        cmocka_unit_test(an_intermediate_with_the_right_name_and_the_wrong_signature_is_refused),
        cmocka_unit_test(an_ra_without_its_issuer_in_the_bundle_is_refused),
        cmocka_unit_test(an_enrolled_device_cannot_pose_as_ra),
        cmocka_unit_test(an_ra_that_is_certified_as_one_is_taken),
        cmocka_unit_test(separate_certificates_are_told_apart_by_their_usage),
        cmocka_unit_test(the_usage_of_a_single_ra_is_not_looked_at),
        cmocka_unit_test(without_an_ra_the_issuing_ca_does_its_work),
        cmocka_unit_test(an_expired_ra_is_refused),
        cmocka_unit_test(a_leafs_chain_ends_below_the_anchor),
        cmocka_unit_test(an_intermediate_that_came_with_the_reply_is_proved_too),
    };

    return cmocka_run_group_tests(tests, make_hierarchies, clear_hierarchies);
}
