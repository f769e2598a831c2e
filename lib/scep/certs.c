/* SPDX-License-Identifier: Apache-2.0
 *
 * Degenerate certificates-only SignedData (RFC 8894 s3.4).
 */
#include "lib/pki/der.h"
#include "lib/scep/algorithm.h"

#define CERTS_MAX 32
#define BUNDLE_ROOM 128 /* more than what stands around the certificates */

static size_t total_bytes(const struct span *spans, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += spans[i].len;
    return bytes;
}

/* The certificates stay in the order they are given and are not sorted: clients in the field pick by
 * position, and RFC 8894 s3.3.2.1 wants the issued one recognisable.  RFC 5652 asks for DER only in
 * what is signed. */
enum status scep_certs_build(const struct span *certificates, size_t count, struct buf *out)
{
    struct der_writer der = { .out = out };

    if (count == 0 || count > CERTS_MAX)
        return fail(BAD_INPUT, "RFC 8894 s3.4: %zu certificates, want 1 to %d", count, CERTS_MAX);
    out->len = 0;
    if (!buf_reserve(out, total_bytes(certificates, count) + BUNDLE_ROOM))
        der.status = fail(FAULT, "no room for %zu certificates", count);
    const size_t info = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_OID, scep_oid_signed_data);
    const size_t explicit = der_open(&der, DER_CONTEXT_CONSTRUCTED(0));
    const size_t data = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_INTEGER, SPAN_LITERAL("\1"));
    der_put(&der, DER_SET, span_of(NULL, 0));
    const size_t content = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_OID, scep_oid_data);
    der_close(&der, content);
    const size_t set = der_open(&der, DER_CONTEXT_CONSTRUCTED(0));
    for (size_t i = 0; i < count; i++)
        der_put_raw(&der, certificates[i]);
    der_close(&der, set);
    der_put(&der, DER_SET, span_of(NULL, 0));
    der_close(&der, data);
    der_close(&der, explicit);
    der_close(&der, info);
    return der_status(&der);
}

static enum status read_signed_data(struct span der, struct buf *joined, struct scep_signed_data *out)
{
    struct scep_content_info info;

    if (scep_content_info_read(der, &info) != OK || !span_equal(info.type, scep_oid_signed_data) ||
        info.content.tag != DER_SEQUENCE)
        return fail(BAD_INPUT, "RFC 8894 s3.4: %zu bytes that are not one signedData", der.len);
    const enum status status = scep_signed_data_read(info.content.whole, joined, out);
    return status == OK ? OK : fail_in(status, "RFC 5652 s5.1: the SignedData does not decode");
}

static enum status append_certificate(const struct der *element, struct cert_list *list)
{
    struct cert *cert = NULL;

    if (element->tag != DER_SEQUENCE)
        return fail(BAD_INPUT, "RFC 8894 s3.4: something else than a certificate among the certificates");
    TRY(cert_parse(element->whole, &cert));
    return cert_list_append(list, cert);
}

static enum status read_certificates(const struct scep_signed_data *data, struct cert_list *list)
{
    struct span rest = data->certificates;

    if (data->certificate_count > CERTS_MAX)
        return fail(BAD_INPUT, "RFC 8894 s3.4: %zu certificates, want %d at most", data->certificate_count,
                    CERTS_MAX);
    while (rest.len) {
        struct der element;
        TRY(scep_element_next(&rest, &element));
        TRY(append_certificate(&element, list));
    }
    return OK;
}

/* Signers are not looked at: who trusts the certificates proves them one by one. */
enum status scep_certs_parse(struct span der, struct cert_list *list)
{
    AUTO(buf_clear) struct buf rewritten = { 0 };
    AUTO(buf_clear) struct buf joined = { 0 };
    struct scep_signed_data data;
    AUTO(cert_list_clear) struct cert_list found = { 0 };

    if (der.len == 0 || der.len > SCEP_MESSAGE_MAX_BYTES)
        return fail(BAD_INPUT, "certificates in %zu bytes, want 1 to %zu", der.len, SCEP_MESSAGE_MAX_BYTES);
    if (der_check(der) != OK) {
        TRY(ber_to_der(der, &rewritten));
        der = buf_span(&rewritten);
    }
    TRY(read_signed_data(der, &joined, &data));
    TRY(read_certificates(&data, &found));
    for (size_t i = 0; i < found.count; i++)
        TRY(cert_list_append(list, take(found.items[i])));
    return OK;
}
