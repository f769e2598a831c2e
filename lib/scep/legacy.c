/* SPDX-License-Identifier: Apache-2.0
 *
 * Single DES: OpenSSL keeps it in its legacy provider, and that stands in a library context of its own, so
 * that nothing else of this process can fetch anything from it.  MD5, SHA-1 and 3DES are in the default one.
 */
#include "lib/scep/legacy.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <stdio.h>

static OSSL_LIB_CTX *context;
static EVP_CIPHER *des;

enum status scep_legacy_load(void)
{
    if (des)
        return OK;
    context = OSSL_LIB_CTX_new();
    if (context && OSSL_PROVIDER_load(context, "default") && OSSL_PROVIDER_load(context, "legacy"))
        des = EVP_CIPHER_fetch(context, "DES-CBC", NULL);
    ERR_clear_error();
    if (des)
        return OK;
    OSSL_LIB_CTX_free(context);
    context = NULL;
    return fail(FAULT, "allow_des: OpenSSL's legacy provider cannot be loaded; is its module legacy.so installed?");
}

EVP_CIPHER *scep_legacy_des(void)
{
    return des && EVP_CIPHER_up_ref(des) ? des : NULL;
}

static const char *const names[] = { "DES", "3DES", "MD5", "SHA-1" };

unsigned scep_legacy_used(const struct scep_header *header)
{
    unsigned used = 0;

    used |= header->cipher == SCEP_DES_CBC ? SCEP_LEGACY_DES : 0;
    used |= header->cipher == SCEP_DES3_CBC ? SCEP_LEGACY_DES3 : 0;
    used |= header->digest == DIGEST_MD5 ? SCEP_LEGACY_MD5 : 0;
    used |= header->digest == DIGEST_SHA1 ? SCEP_LEGACY_SHA1 : 0;
    return used;
}

void scep_legacy_text(unsigned used, char text[SCEP_LEGACY_TEXT_BYTES])
{
    size_t len = 0;

    text[0] = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (used & 1u << i)
            len += (size_t)snprintf(text + len, SCEP_LEGACY_TEXT_BYTES - len, "%s%s", len ? ", " : "", names[i]);
}
