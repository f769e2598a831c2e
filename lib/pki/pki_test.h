/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of lib/pki share: keys made once, certificates in one line.
 */
#pragma once

#include "lib/base/test.h"
#include "lib/pki/pki.h"

#include <stdlib.h>

#define NOW_S 1795455000 /* 2026-11-23 */
#define DAY_S 86400

/* assert_int_equal() that also says which of many inputs it was. */
static inline void assert_status(enum status got, enum status want, const char *input)
{
    if (got != want)
        print_error("%s: %s, want %s (%s)\n", input, status_name(got), status_name(want), fail_text());
    assert_int_equal(got, want);
}

/* A key of this kind, the same one every time; lives as long as the test program. */
static inline struct private_key *test_key(enum key_kind kind)
{
    static struct private_key *keys[KEY_EC_P384 + 1];
    static const unsigned bits[] = { 2048, 256, 384 };

    if (!keys[kind])
        assert_int_equal(private_key_generate((struct key_spec){ kind, bits[kind] }, &keys[kind]), OK);
    return keys[kind];
}

static inline struct span test_spki(struct private_key *key)
{
    return public_key_get_spki(private_key_get_public(key));
}

/* A Name, by its text; the caller clears it. */
static inline struct buf test_name(const char *text)
{
    struct buf name = { 0 };

    assert_int_equal(name_parse_text(text, &name), OK);
    return name;
}

static inline struct cert *test_issue(const struct cert_content *content, const struct cert *issuer,
                                      struct private_key *key)
{
    struct buf der = { 0 };
    struct cert *cert = NULL;

    assert_int_equal(cert_issue(content, issuer, key, &der), OK);
    assert_int_equal(cert_parse(buf_span(&der), &cert), OK);
    buf_clear(&der);
    return cert;
}

/* A CA with the usual extensions, valid from a day before NOW_S for ten years. */
static inline struct cert *test_ca(const char *subject, struct private_key *key, const struct cert *issuer,
                                   struct private_key *issuer_key)
{
    static const uint8_t serial[] = { 0x4d, 1 };
    struct buf name = test_name(subject);
    const struct cert_content content = {
        .serial = { serial, sizeof serial },
        .subject = buf_span(&name),
        .spki = test_spki(key),
        .not_before_s = NOW_S - DAY_S,
        .not_after_s = NOW_S + 3650 * (int64_t)DAY_S,
        .key_usage = KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN,
        .is_ca = true,
        .path_length = PATH_LENGTH_NONE,
        .crl_url = issuer ? "http://crl.example/root.crl" : NULL,
        .issuer_url = issuer ? "http://crl.example/root.cer" : NULL,
    };
    struct cert *cert = test_issue(&content, issuer, issuer_key);

    buf_clear(&name);
    return cert;
}
