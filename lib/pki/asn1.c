/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/asn1.h"

#include "lib/pki/der.h"
#include "lib/pki/libcrypto.h"

#include <openssl/asn1t.h>

/* clang-format off */
ASN1_SEQUENCE(asn1_tbs) = {
    ASN1_EXP_OPT(struct asn1_tbs, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(struct asn1_tbs, serial, ASN1_INTEGER),
    ASN1_SIMPLE(struct asn1_tbs, algorithm, ASN1_ANY),
    ASN1_SIMPLE(struct asn1_tbs, issuer, ASN1_ANY),
    ASN1_SIMPLE(struct asn1_tbs, validity, ASN1_ANY),
    ASN1_SIMPLE(struct asn1_tbs, subject, ASN1_ANY),
    ASN1_SIMPLE(struct asn1_tbs, spki, ASN1_ANY),
    ASN1_IMP_OPT(struct asn1_tbs, issuer_id, ASN1_BIT_STRING, 1),
    ASN1_IMP_OPT(struct asn1_tbs, subject_id, ASN1_BIT_STRING, 2),
    ASN1_EXP_SEQUENCE_OF_OPT(struct asn1_tbs, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END_name(struct asn1_tbs, asn1_tbs)

ASN1_SEQUENCE(asn1_cert) = {
    ASN1_SIMPLE(struct asn1_cert, tbs, asn1_tbs),
    ASN1_SIMPLE(struct asn1_cert, algorithm, ASN1_ANY),
    ASN1_SIMPLE(struct asn1_cert, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END_name(struct asn1_cert, asn1_cert)

ASN1_SEQUENCE(asn1_csr_info) = {
    ASN1_SIMPLE(struct asn1_csr_info, version, ASN1_INTEGER),
    ASN1_SIMPLE(struct asn1_csr_info, subject, ASN1_ANY),
    ASN1_SIMPLE(struct asn1_csr_info, spki, ASN1_ANY),
    ASN1_IMP_SET_OF_OPT(struct asn1_csr_info, attributes, X509_ATTRIBUTE, 0),
} static_ASN1_SEQUENCE_END_name(struct asn1_csr_info, asn1_csr_info)

ASN1_SEQUENCE(asn1_csr) = {
    ASN1_SIMPLE(struct asn1_csr, info, asn1_csr_info),
    ASN1_SIMPLE(struct asn1_csr, algorithm, ASN1_ANY),
    ASN1_SIMPLE(struct asn1_csr, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END_name(struct asn1_csr, asn1_csr)
/* clang-format on */

/* The template engine takes BER; RFC 5280 s4.1 and RFC 2986 s4 want DER, so that is looked at first. */
static enum status decode(struct span der, const ASN1_ITEM *item, const char *what, void **out)
{
    const uint8_t *p = der.ptr;

    const enum status status = der_check(der);
    if (status != OK)
        return fail_in(status, "%s", what);
    *out = ASN1_item_d2i(NULL, &p, (long)der.len, item);
    return *out ? OK : fail_libcrypto(BAD_INPUT, what);
}

enum status asn1_cert_decode(struct span der, struct asn1_cert **out)
{
    void *cert = NULL;

    TRY(decode(der, ASN1_ITEM_rptr(asn1_cert), "Certificate (RFC 5280 s4.1)", &cert));
    *out = cert;
    return OK;
}

void asn1_cert_free(struct asn1_cert *cert)
{
    ASN1_item_free((ASN1_VALUE *)cert, ASN1_ITEM_rptr(asn1_cert));
}

enum status asn1_csr_decode(struct span der, struct asn1_csr **out)
{
    void *csr = NULL;

    TRY(decode(der, ASN1_ITEM_rptr(asn1_csr), "CertificationRequest (RFC 2986 s4)", &csr));
    *out = csr;
    return OK;
}

void asn1_csr_free(struct asn1_csr *csr)
{
    ASN1_item_free((ASN1_VALUE *)csr, ASN1_ITEM_rptr(asn1_csr));
}

enum status asn1_sequence(const ASN1_TYPE *any, const char *what, struct span *out)
{
    if (any->type != V_ASN1_SEQUENCE)
        return fail(BAD_INPUT, "%s is not a SEQUENCE", what);
    *out = span_of(any->value.sequence->data, (size_t)any->value.sequence->length);
    return OK;
}

enum status asn1_octets(const ASN1_BIT_STRING *bits, struct span *out)
{
    if (bits->flags & 7)
        return fail(BAD_INPUT, "a BIT STRING that is not whole octets");
    *out = span_of(bits->data, (size_t)bits->length);
    return OK;
}

struct span asn1_oid(const ASN1_OBJECT *object)
{
    return span_of(OBJ_get0_data(object), OBJ_length(object));
}
