/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/scep/asn1.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/objects.h>

DECLARE_ASN1_ITEM(SCEP_CONTENT_INFO)
DECLARE_ASN1_ITEM(SCEP_ISSUER_SERIAL)
DECLARE_ASN1_ITEM(SCEP_ENTITY_ID)
DECLARE_ASN1_ITEM(SCEP_ATTRIBUTE)
DECLARE_ASN1_ITEM(SCEP_SIGNER_INFO)
DECLARE_ASN1_ITEM(SCEP_SIGNED_DATA)
DECLARE_ASN1_ITEM(SCEP_ENCRYPTED_CONTENT)
DECLARE_ASN1_ITEM(SCEP_ENVELOPED_DATA)
DECLARE_ASN1_ITEM(SCEP_KEY_TRANSPORT)
DECLARE_ASN1_ITEM(SCEP_OAEP_PARAMETERS)
DECLARE_ASN1_ITEM(SCEP_ATTRIBUTES_RECEIVED)
DECLARE_ASN1_ITEM(SCEP_ATTRIBUTES_SORTED)

/* clang-format off */
ASN1_SEQUENCE(SCEP_CONTENT_INFO) = {
    ASN1_SIMPLE(struct scep_content_info, type, ASN1_OBJECT),
    ASN1_EXP_OPT(struct scep_content_info, content, ASN1_ANY, 0),
} ASN1_SEQUENCE_END_name(struct scep_content_info, SCEP_CONTENT_INFO)

ASN1_SEQUENCE(SCEP_ISSUER_SERIAL) = {
    ASN1_SIMPLE(struct scep_issuer_serial, issuer, ASN1_ANY),
    ASN1_SIMPLE(struct scep_issuer_serial, serial, ASN1_INTEGER),
} ASN1_SEQUENCE_END_name(struct scep_issuer_serial, SCEP_ISSUER_SERIAL)

ASN1_CHOICE(SCEP_ENTITY_ID) = {
    ASN1_SIMPLE(struct scep_entity_id, value.issuer_serial, SCEP_ISSUER_SERIAL),
    ASN1_IMP(struct scep_entity_id, value.key_id, ASN1_OCTET_STRING, 0),
} ASN1_CHOICE_END_selector(struct scep_entity_id, SCEP_ENTITY_ID, type)

ASN1_SEQUENCE(SCEP_ATTRIBUTE) = {
    ASN1_SIMPLE(struct scep_asn1_attribute, type, ASN1_OBJECT),
    ASN1_SET_OF(struct scep_asn1_attribute, values, ASN1_ANY),
} ASN1_SEQUENCE_END_name(struct scep_asn1_attribute, SCEP_ATTRIBUTE)

ASN1_SEQUENCE(SCEP_SIGNER_INFO) = {
    ASN1_EMBED(struct scep_signer_info, version, INT32),
    ASN1_SIMPLE(struct scep_signer_info, id, SCEP_ENTITY_ID),
    ASN1_SIMPLE(struct scep_signer_info, digest, X509_ALGOR),
    ASN1_IMP_SET_OF_OPT(struct scep_signer_info, signed_attributes, SCEP_ATTRIBUTE, 0),
    ASN1_SIMPLE(struct scep_signer_info, signature_algorithm, X509_ALGOR),
    ASN1_SIMPLE(struct scep_signer_info, signature, ASN1_OCTET_STRING),
    ASN1_IMP_SET_OF_OPT(struct scep_signer_info, unsigned_attributes, SCEP_ATTRIBUTE, 1),
} ASN1_SEQUENCE_END_name(struct scep_signer_info, SCEP_SIGNER_INFO)

ASN1_SEQUENCE(SCEP_SIGNED_DATA) = {
    ASN1_EMBED(struct scep_signed_data, version, INT32),
    ASN1_SET_OF(struct scep_signed_data, digests, X509_ALGOR),
    ASN1_SIMPLE(struct scep_signed_data, content, SCEP_CONTENT_INFO),
    ASN1_IMP_SET_OF_OPT(struct scep_signed_data, certificates, ASN1_ANY, 0),
    ASN1_IMP_SET_OF_OPT(struct scep_signed_data, crls, ASN1_ANY, 1),
    ASN1_SET_OF(struct scep_signed_data, signers, SCEP_SIGNER_INFO),
} ASN1_SEQUENCE_END_name(struct scep_signed_data, SCEP_SIGNED_DATA)

ASN1_SEQUENCE(SCEP_ENCRYPTED_CONTENT) = {
    ASN1_SIMPLE(struct scep_encrypted_content, type, ASN1_OBJECT),
    ASN1_SIMPLE(struct scep_encrypted_content, cipher, X509_ALGOR),
    ASN1_IMP_OPT(struct scep_encrypted_content, bytes, ASN1_OCTET_STRING, 0),
} ASN1_SEQUENCE_END_name(struct scep_encrypted_content, SCEP_ENCRYPTED_CONTENT)

/* originatorInfo is left out: it serves key agreement only, which is refused anyway. */
ASN1_SEQUENCE(SCEP_ENVELOPED_DATA) = {
    ASN1_EMBED(struct scep_enveloped_data, version, INT32),
    ASN1_SET_OF(struct scep_enveloped_data, recipients, ASN1_ANY),
    ASN1_SIMPLE(struct scep_enveloped_data, content, SCEP_ENCRYPTED_CONTENT),
    ASN1_IMP_SET_OF_OPT(struct scep_enveloped_data, unprotected_attributes, ASN1_ANY, 1),
} ASN1_SEQUENCE_END_name(struct scep_enveloped_data, SCEP_ENVELOPED_DATA)

ASN1_SEQUENCE(SCEP_KEY_TRANSPORT) = {
    ASN1_EMBED(struct scep_key_transport, version, INT32),
    ASN1_SIMPLE(struct scep_key_transport, id, SCEP_ENTITY_ID),
    ASN1_SIMPLE(struct scep_key_transport, algorithm, X509_ALGOR),
    ASN1_SIMPLE(struct scep_key_transport, encrypted_key, ASN1_OCTET_STRING),
} ASN1_SEQUENCE_END_name(struct scep_key_transport, SCEP_KEY_TRANSPORT)

ASN1_SEQUENCE(SCEP_OAEP_PARAMETERS) = {
    ASN1_EXP_OPT(struct scep_oaep_parameters, hash, X509_ALGOR, 0),
    ASN1_EXP_OPT(struct scep_oaep_parameters, mask, X509_ALGOR, 1),
    ASN1_EXP_OPT(struct scep_oaep_parameters, source, X509_ALGOR, 2),
} ASN1_SEQUENCE_END_name(struct scep_oaep_parameters, SCEP_OAEP_PARAMETERS)

/* A SEQUENCE OF is not sorted on encoding; tagged as SET it is the SET OF as it was received. */
ASN1_ITEM_TEMPLATE(SCEP_ATTRIBUTES_RECEIVED) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF | ASN1_TFLG_IMPTAG | ASN1_TFLG_UNIVERSAL, V_ASN1_SET,
                          attributes, SCEP_ATTRIBUTE)
ASN1_ITEM_TEMPLATE_END(SCEP_ATTRIBUTES_RECEIVED)

ASN1_ITEM_TEMPLATE(SCEP_ATTRIBUTES_SORTED) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SET_OF, 0, attributes, SCEP_ATTRIBUTE)
ASN1_ITEM_TEMPLATE_END(SCEP_ATTRIBUTES_SORTED)
/* clang-format on */

static void *read_whole(struct span der, const ASN1_ITEM *item)
{
    const unsigned char *at = der.ptr;

    if (der.len == 0 || der.len > LONG_MAX)
        return NULL;
    ASN1_VALUE *value = ASN1_item_d2i(NULL, &at, (long)der.len, item);
    if (value && at == der.ptr + der.len)
        return value;
    ASN1_item_free(value, item);
    ERR_clear_error();
    return NULL;
}

/* clang-format off */
#define DEFINE_READ_AND_FREE(name, ITEM)                              \
    struct name *name##_read(struct span der)                         \
    {                                                                 \
        return read_whole(der, ASN1_ITEM_rptr(ITEM));                 \
    }                                                                 \
    void name##_free(struct name *value)                              \
    {                                                                 \
        ASN1_item_free((ASN1_VALUE *)value, ASN1_ITEM_rptr(ITEM));    \
    }

DEFINE_READ_AND_FREE(scep_content_info, SCEP_CONTENT_INFO)
DEFINE_READ_AND_FREE(scep_signed_data, SCEP_SIGNED_DATA)
DEFINE_READ_AND_FREE(scep_enveloped_data, SCEP_ENVELOPED_DATA)
DEFINE_READ_AND_FREE(scep_key_transport, SCEP_KEY_TRANSPORT)
DEFINE_READ_AND_FREE(scep_oaep_parameters, SCEP_OAEP_PARAMETERS)
/* clang-format on */

X509_ALGOR *scep_algorithm_read(struct span der)
{
    return read_whole(der, ASN1_ITEM_rptr(X509_ALGOR));
}

enum status scep_attributes_encode(const OPENSSL_STACK *attributes, enum scep_attribute_order order,
                                   struct buf *out)
{
    const ASN1_ITEM *item = order == SCEP_ORDER_RECEIVED ? ASN1_ITEM_rptr(SCEP_ATTRIBUTES_RECEIVED)
                                                         : ASN1_ITEM_rptr(SCEP_ATTRIBUTES_SORTED);
    unsigned char *der = NULL;

    const int len = ASN1_item_i2d((const ASN1_VALUE *)attributes, &der, item);
    if (len <= 0) {
        ERR_clear_error();
        return fail(FAULT, "the signed attributes cannot be encoded");
    }
    const enum status status = buf_set(out, span_of(der, (size_t)len));
    OPENSSL_free(der);
    return status;
}

struct span scep_asn1_string_bytes(const ASN1_STRING *string)
{
    if (!string)
        return span_of(NULL, 0);
    return span_of(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

struct span scep_asn1_oid_bytes(const ASN1_OBJECT *oid)
{
    return span_of(OBJ_get0_data(oid), OBJ_length(oid));
}

struct span scep_asn1_any_bytes(const ASN1_TYPE *any)
{
    if (!any)
        return span_of(NULL, 0);
    switch (any->type) {
    case V_ASN1_BOOLEAN:
    case V_ASN1_NULL:
    case V_ASN1_OBJECT:
        return span_of(NULL, 0);
    default:
        return scep_asn1_string_bytes(any->value.asn1_string);
    }
}

void scep_asn1_oid_text(const ASN1_OBJECT *oid, char text[SCEP_OID_TEXT_BYTES])
{
    /* Long OIDs take quadratic time to print. */
    if (OBJ_length(oid) > 32 || OBJ_obj2txt(text, SCEP_OID_TEXT_BYTES, oid, 0) <= 0)
        snprintf(text, SCEP_OID_TEXT_BYTES, "an object identifier of %zu bytes", OBJ_length(oid));
}
