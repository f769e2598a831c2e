/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"
#include "lib/pki/libcrypto.h"

#include <stdlib.h>

/* Indexed by enum digest. */
static const char *const digest_names[] = { NULL, "MD5", "SHA1", "SHA256", "SHA384", "SHA512" };

const EVP_MD *digest_md(enum digest kind)
{
    static EVP_MD *fetched[COUNT_OF(digest_names)];

    if (kind == DIGEST_NONE)
        return NULL;
    if (!fetched[kind])
        fetched[kind] = EVP_MD_fetch(NULL, digest_names[kind], NULL);
    if (!fetched[kind]) {
        log_write(LOG_ERROR, "libcrypto has no %s", digest_names[kind]);
        abort();
    }
    return fetched[kind];
}

size_t digest_bytes(enum digest kind, struct span bytes, uint8_t out[DIGEST_MAX_BYTES])
{
    static EVP_MD_CTX *context; /* kept: a new one costs as much as hashing 1 KiB */
    const EVP_MD *md = digest_md(kind);
    unsigned length = 0;

    if (!md)
        return 0;
    if (!context)
        context = EVP_MD_CTX_new();
    if (!context || !EVP_DigestInit_ex(context, md, NULL) || !EVP_DigestUpdate(context, bytes.ptr, bytes.len) ||
        !EVP_DigestFinal_ex(context, out, &length)) {
        log_write(LOG_ERROR, "libcrypto cannot compute %s", digest_names[kind]);
        abort();
    }
    return length;
}

void sha256(struct span bytes, uint8_t out[SHA256_BYTES])
{
    uint8_t digest[DIGEST_MAX_BYTES];

    digest_bytes(DIGEST_SHA256, bytes, digest);
    memcpy(out, digest, SHA256_BYTES);
}
