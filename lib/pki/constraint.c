/* SPDX-License-Identifier: Apache-2.0
 *
 * Name constraints of the authorities above a certificate, judged by OpenSSL before it is signed.
 */
#include "lib/pki/libcrypto.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define CONSTRAINTS_MAX 8

struct name_constraints {
    NAME_CONSTRAINTS *items[CONSTRAINTS_MAX];
    size_t count;
    struct private_key *key; /* of the certificates that are only judged; NULL while count is 0 */
};

void name_constraints_free(struct name_constraints *constraints)
{
    if (!constraints)
        return;
    for (size_t i = 0; i < constraints->count; i++)
        NAME_CONSTRAINTS_free(constraints->items[i]);
    private_key_free(constraints->key);
    free(constraints);
}

static enum status constraints_add(struct name_constraints *constraints, const struct cert *ca)
{
    const struct span der = cert_get_der(ca);
    const uint8_t *p = der.ptr;
    int place = -1;
    AUTO(X509_freep) X509 *x509 = d2i_X509(NULL, &p, (long)der.len);

    if (!x509)
        return fail_libcrypto(BAD_INPUT, "an authority's certificate");
    NAME_CONSTRAINTS *item = X509_get_ext_d2i(x509, NID_name_constraints, &place, NULL);
    if (!item)
        return place == -1 ? OK : fail(BAD_INPUT, "RFC 5280 s4.2.1.10: an authority's nameConstraints cannot be read");
    if (constraints->count == CONSTRAINTS_MAX) {
        NAME_CONSTRAINTS_free(item);
        return fail(BAD_INPUT, "more than %d authorities with name constraints", CONSTRAINTS_MAX);
    }
    constraints->items[constraints->count++] = item;
    return OK;
}

enum status name_constraints_read(const struct cert *ca, const struct cert_list *superiors,
                                  struct name_constraints **out)
{
    AUTO(name_constraints_freep) struct name_constraints *constraints = calloc(1, sizeof *constraints);

    if (!constraints)
        return fail(FAULT, "no memory for name constraints");
    TRY(constraints_add(constraints, ca));
    for (size_t i = 0; i < superiors->count; i++)
        TRY(constraints_add(constraints, superiors->items[i]));
    if (constraints->count)
        TRY(private_key_generate((struct key_spec){ KEY_EC_P256, 256 }, &constraints->key));
    *out = take(constraints);
    return OK;
}

/* A certificate with these names, to be judged: signed with a key that is good for nothing else, since
 * OpenSSL looks at whole certificates only. */
static enum status bearer_make(const struct name_constraints *constraints, struct span subject, struct span san,
                               X509 **out)
{
    AUTO(buf_clear) struct buf der = { 0 };
    const uint8_t one = 1;
    const struct cert_content content = {
        .serial = span_of(&one, 1),
        .subject = subject,
        .subject_alt_name = san,
        .spki = public_key_get_spki(private_key_get_public(constraints->key)),
        .not_after_s = 1,
    };

    TRY(cert_issue(&content, NULL, constraints->key, &der));
    const uint8_t *p = der.ptr;
    AUTO(X509_freep) X509 *x509 = d2i_X509(NULL, &p, (long)der.len);
    if (!x509 || X509_check_purpose(x509, -1, 0) != 1) /* reads the extensions */
        return fail_libcrypto(BAD_INPUT, "the names of a certificate");
    *out = take(x509);
    return OK;
}

enum status name_constraints_check(const struct name_constraints *constraints, struct span subject, struct span san)
{
    AUTO(X509_freep) X509 *x509 = NULL;

    if (constraints->count == 0)
        return OK;
    TRY(bearer_make(constraints, subject, san, &x509));
    for (size_t i = 0; i < constraints->count; i++) {
        int error = NAME_CONSTRAINTS_check(x509, constraints->items[i]);
        if (error == X509_V_OK && san.len == 0)
            error = NAME_CONSTRAINTS_check_CN(x509, constraints->items[i]);
        if (error != X509_V_OK)
            return fail(REFUSED, "RFC 5280 s4.2.1.10: the names are outside of what the authorities may certify: %s",
                        X509_verify_cert_error_string(error));
    }
    return OK;
}
