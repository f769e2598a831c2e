/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates in a row, and in PEM.
 */
#include "lib/base/file.h"
#include "lib/pki/libcrypto.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#define PEM_MAX_BYTES ((size_t)1 << 20)
#define CERTS_MAX 1024

enum status cert_list_append(struct cert_list *list, struct cert *cert)
{
    struct cert **items = reallocarray(list->items, list->count + 1, sizeof *items);

    if (!items) {
        cert_free(cert);
        return fail(FAULT, "no memory for a certificate more");
    }
    items[list->count++] = cert;
    list->items = items;
    return OK;
}

void cert_list_clear(struct cert_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        cert_free(list->items[i]);
    free(list->items);
    *list = (struct cert_list){ 0 };
}

static bool is_certificate_label(const char *label)
{
    return strcmp(label, PEM_STRING_X509) == 0 || strcmp(label, PEM_STRING_X509_OLD) == 0;
}

/* The next certificate of the text; *der stays empty at the end of it. */
static enum status pem_next(BIO *bio, struct buf *der)
{
    while (der->len == 0) {
        char *label = NULL, *header = NULL;
        unsigned char *bytes = NULL;
        long length = 0;
        if (!PEM_read_bio(bio, &label, &header, &bytes, &length)) {
            const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            const enum status status = fail_libcrypto(BAD_INPUT, "malformed PEM");
            return at_end ? OK : status;
        }
        const bool wanted = is_certificate_label(label);
        const enum status status = wanted ? buf_append(der, span_of(bytes, (size_t)length)) : OK;
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_clear_free(bytes, (size_t)length); /* may be a private key in the same file */
        TRY(status);
        if (wanted && der->len == 0)
            return fail(BAD_INPUT, "an empty certificate");
    }
    return OK;
}

static enum status pem_read(struct span pem, size_t most, struct cert_list *list)
{
    AUTO(BIO_free_allp) BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);

    if (!bio)
        return fail_libcrypto(FAULT, "no memory to read PEM");
    for (size_t i = 0; i < most; i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        struct cert *cert = NULL;
        TRY(pem_next(bio, &der));
        if (der.len == 0)
            return i ? OK : fail(BAD_INPUT, "no certificate in PEM");
        TRY(cert_parse(buf_span(&der), &cert));
        TRY(cert_list_append(list, cert));
    }
    return OK;
}

static enum status pem_read_from(struct span pem, const char *from, size_t most, struct cert_list *list)
{
    if (pem.len == 0 || pem.len > PEM_MAX_BYTES)
        return fail(BAD_INPUT, "%s: %zu bytes, want 1 to %zu", from, pem.len, PEM_MAX_BYTES);
    const enum status status = pem_read(pem, most, list);
    return status == OK ? OK : fail_in(status, "%s", from);
}

enum status cert_list_parse_pem(struct cert_list *list, struct span pem, const char *from)
{
    return pem_read_from(pem, from, CERTS_MAX, list);
}

enum status cert_list_load(struct cert_list *list, const char *path)
{
    AUTO(buf_clear) struct buf pem = { 0 };

    TRY(file_read(path, PEM_MAX_BYTES, &pem));
    if (pem.len == 0)
        return OK;
    return cert_list_parse_pem(list, buf_span(&pem), path);
}

enum status cert_parse_pem(struct span pem, const char *from, struct cert **out)
{
    AUTO(cert_list_clear) struct cert_list one = { 0 };

    TRY(pem_read_from(pem, from, 1, &one));
    *out = take(one.items[0]);
    one.count = 0;
    return OK;
}

enum status cert_load(const char *path, struct cert **out)
{
    AUTO(buf_clear) struct buf pem = { 0 };

    TRY(file_read(path, PEM_MAX_BYTES, &pem));
    return cert_parse_pem(buf_span(&pem), path, out);
}

enum status cert_append_pem(const struct cert *cert, struct buf *out)
{
    const struct span der = cert_get_der(cert);
    AUTO(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());

    if (!bio || PEM_write_bio(bio, PEM_STRING_X509, "", der.ptr, (long)der.len) <= 0)
        return fail_libcrypto(FAULT, "cannot write PEM");
    return bio_take(bio, out);
}
