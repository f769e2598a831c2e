/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/scep/legacy.h"

#include "lib/base/test.h"

#include <openssl/provider.h>

static void single_des_is_in_a_context_of_its_own_and_nowhere_else(void **state)
{
    (void)state;
    assert_null(scep_legacy_des());
    assert_int_equal(scep_legacy_load(), OK);
    assert_int_equal(scep_legacy_load(), OK);
    EVP_CIPHER *des = scep_legacy_des();
    assert_non_null(des);
    EVP_CIPHER_free(des);
    assert_null(EVP_CIPHER_fetch(NULL, "DES-CBC", NULL));
    assert_false(OSSL_PROVIDER_available(NULL, "legacy"));
}

static void what_a_message_uses_is_told_by_name(void **state)
{
    static const struct {
        struct scep_header header;
        const char *text;
    } rows[] = {
        { { .cipher = SCEP_AES256_CBC, .digest = DIGEST_SHA512 }, "" },
        { { .cipher = SCEP_DES_CBC, .digest = DIGEST_MD5 }, "DES, MD5" },
        { { .cipher = SCEP_DES3_CBC, .digest = DIGEST_SHA1 }, "3DES, SHA-1" },
        { { .cipher = SCEP_CIPHER_NONE, .digest = DIGEST_SHA1 }, "SHA-1" },
    };
    char text[SCEP_LEGACY_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        scep_legacy_text(scep_legacy_used(&rows[i].header), text);
        assert_string_equal(text, rows[i].text);
    }
    scep_legacy_text(~0u, text);
    assert_string_equal(text, "DES, 3DES, MD5, SHA-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_des_is_in_a_context_of_its_own_and_nowhere_else),
        cmocka_unit_test(what_a_message_uses_is_told_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
