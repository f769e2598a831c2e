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
};

void name_constraints_free(struct name_constraints *constraints)
{
    if (!constraints)
        return;
    for (size_t i = 0; i < constraints->count; i++)
        NAME_CONSTRAINTS_free(constraints->items[i]);
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
    *out = take(constraints);
    return OK;
}

/* A certificate with these names and nothing else, to be judged. */
static enum status bearer_make(struct span subject, struct span san, X509 **out)
{
    AUTO(X509_freep) X509 *x509 = X509_new();
    const uint8_t *p = subject.ptr;

    if (!x509)
        return fail(FAULT, "no memory for a certificate");
    if (subject.len) {
        X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)subject.len);
        const int set = name && X509_set_subject_name(x509, name);
        X509_NAME_free(name);
        if (!set)
            return fail_libcrypto(BAD_INPUT, "a subject");
    }
    if (san.len) {
        p = san.ptr;
        GENERAL_NAMES *names = d2i_GENERAL_NAMES(NULL, &p, (long)san.len);
        const int added = names && X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
        GENERAL_NAMES_free(names);
        if (!added)
            return fail_libcrypto(BAD_INPUT, "alternative names");
    }
    *out = take(x509);
    return OK;
}

enum status name_constraints_check(const struct name_constraints *constraints, struct span subject, struct span san)
{
    AUTO(X509_freep) X509 *x509 = NULL;

    if (constraints->count == 0)
        return OK;
    TRY(bearer_make(subject, san, &x509));
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
