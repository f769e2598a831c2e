/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/libcrypto.h"

#include <openssl/err.h>

enum status fail_libcrypto(enum status kind, const char *what)
{
    const unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return reason ? fail(kind, "%s: %s", what, reason) : fail(kind, "%s", what);
}

enum status bio_take(BIO *bio, struct buf *out)
{
    char *bytes = NULL;
    const long length = BIO_get_mem_data(bio, &bytes);

    if (length < 0)
        return fail_libcrypto(FAULT, "a memory BIO");
    return buf_append(out, span_of(bytes, (size_t)length));
}
