/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole chains, by OpenSSL's own validation.
 */
#include "lib/pki/libcrypto.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define SECURITY_LEVEL 2 /* 112 bits: RSA-2048 and SHA-256 and up */

static X509 *decode(const struct cert *cert)
{
    const struct span der = cert_get_der(cert);
    const uint8_t *p = der.ptr;

    return d2i_X509(NULL, &p, (long)der.len);
}

static void stack_free(STACK_OF(X509) **stack)
{
    sk_X509_pop_free(*stack, X509_free);
}

static enum status stack_fill(STACK_OF(X509) *stack, const struct cert_list *certs)
{
    for (size_t i = 0; certs && i < certs->count; i++) {
        X509 *x509 = decode(certs->items[i]);
        if (!x509)
            return fail_libcrypto(BAD_INPUT, "an intermediate certificate");
        if (sk_X509_push(stack, x509) <= 0) {
            X509_free(x509);
            return fail(FAULT, "no memory for a chain");
        }
    }
    return OK;
}

static enum status store_make(const struct cert *anchor, X509_STORE **out)
{
    AUTO(X509_freep) X509 *x509 = decode(anchor);
    AUTO(X509_STORE_freep) X509_STORE *store = X509_STORE_new();

    if (!x509)
        return fail_libcrypto(BAD_INPUT, "the trust anchor");
    if (!store || !X509_STORE_add_cert(store, x509))
        return fail_libcrypto(FAULT, "no memory for a trust anchor");
    *out = take(store);
    return OK;
}

/* The anchor is trusted as it is, also where it is no root: whoever pinned it meant it. */
static void parameters_set(X509_VERIFY_PARAM *param, int64_t now_s)
{
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
}

static enum status verify(X509_STORE_CTX *context)
{
    if (X509_verify_cert(context) == 1)
        return OK;
    const int error = X509_STORE_CTX_get_error(context);
    const int depth = X509_STORE_CTX_get_error_depth(context);
    ERR_clear_error();
    if (error == X509_V_ERR_OUT_OF_MEM)
        return fail(FAULT, "no memory to verify a chain");
    return fail(BAD_PROOF, "chain does not hold at depth %d: %s", depth, X509_verify_cert_error_string(error));
}

enum status chain_verify(const struct cert *leaf, const struct cert_list *intermediates, const struct cert *anchor,
                         int64_t now_s)
{
    AUTO(X509_STORE_freep) X509_STORE *store = NULL;
    AUTO(X509_freep) X509 *x509 = decode(leaf);
    AUTO(stack_free) STACK_OF(X509) *untrusted = sk_X509_new_null();
    AUTO(X509_STORE_CTX_freep) X509_STORE_CTX *context = X509_STORE_CTX_new();

    if (!x509)
        return fail_libcrypto(BAD_INPUT, "the certificate to verify");
    if (!untrusted || !context)
        return fail_libcrypto(FAULT, "no memory to verify a chain");
    TRY(stack_fill(untrusted, intermediates));
    TRY(store_make(anchor, &store));
    if (!X509_STORE_CTX_init(context, store, x509, untrusted))
        return fail_libcrypto(FAULT, "cannot prepare to verify a chain");
    parameters_set(X509_STORE_CTX_get0_param(context), now_s);
    return verify(context);
}
