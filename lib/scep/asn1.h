/* SPDX-License-Identifier: Apache-2.0
 *
 * The ASN.1 modules of CMS (RFC 5652) that SCEP needs, on OpenSSL's template engine.
 *
 * Knows: what the structures look like, in DER and BER.  Does not know: what they mean.
 * What needs no decoding here stays ANY: certificates, names, recipients.
 */
#pragma once

#include "lib/base/span.h"

#include <openssl/asn1.h>
#include <openssl/asn1t.h>
#include <openssl/x509.h>

struct scep_content_info {
    ASN1_OBJECT *type;
    ASN1_TYPE *content; /* NULL where absent */
};

struct scep_issuer_serial {
    ASN1_TYPE *issuer;
    ASN1_INTEGER *serial;
};

/* SignerIdentifier and RecipientIdentifier: one and the same CHOICE. */
enum scep_entity_id_type { SCEP_ENTITY_ISSUER_SERIAL, SCEP_ENTITY_KEY_ID };

struct scep_entity_id {
    int type; /* enum scep_entity_id_type; -1 in an empty one */
    union {
        struct scep_issuer_serial *issuer_serial;
        ASN1_OCTET_STRING *key_id;
    } value;
};

struct scep_asn1_attribute {
    ASN1_OBJECT *type;
    STACK_OF(ASN1_TYPE) *values;
};

struct scep_signer_info {
    int32_t version;
    struct scep_entity_id *id;
    X509_ALGOR *digest;
    OPENSSL_STACK *signed_attributes; /* of struct scep_asn1_attribute; NULL where absent */
    X509_ALGOR *signature_algorithm;
    ASN1_OCTET_STRING *signature;
    OPENSSL_STACK *unsigned_attributes;
};

struct scep_signed_data {
    int32_t version;
    STACK_OF(X509_ALGOR) *digests;
    struct scep_content_info *content;
    STACK_OF(ASN1_TYPE) *certificates; /* NULL where absent */
    STACK_OF(ASN1_TYPE) *crls;         /* NULL where absent */
    OPENSSL_STACK *signers;             /* of struct scep_signer_info */
};

struct scep_encrypted_content {
    ASN1_OBJECT *type;
    X509_ALGOR *cipher;
    ASN1_OCTET_STRING *bytes; /* NULL where absent */
};

struct scep_enveloped_data {
    int32_t version;
    STACK_OF(ASN1_TYPE) *recipients;
    struct scep_encrypted_content *content;
    STACK_OF(ASN1_TYPE) *unprotected_attributes;
};

struct scep_key_transport {
    int32_t version;
    struct scep_entity_id *id;
    X509_ALGOR *algorithm;
    ASN1_OCTET_STRING *encrypted_key;
};

/* RSAES-OAEP-params, RFC 4055 s4.1; NULL where the default stands. */
struct scep_oaep_parameters {
    X509_ALGOR *hash;
    X509_ALGOR *mask;
    X509_ALGOR *source;
};

/* Read a whole span as one structure; NULL when it is anything else, or something follows it. */
struct scep_content_info *scep_content_info_read(struct span der);
struct scep_signed_data *scep_signed_data_read(struct span der);
struct scep_enveloped_data *scep_enveloped_data_read(struct span der);
struct scep_key_transport *scep_key_transport_read(struct span der);
struct scep_oaep_parameters *scep_oaep_parameters_read(struct span der);
X509_ALGOR *scep_algorithm_read(struct span der);

void scep_content_info_free(struct scep_content_info *value);
void scep_signed_data_free(struct scep_signed_data *value);
void scep_enveloped_data_free(struct scep_enveloped_data *value);
void scep_key_transport_free(struct scep_key_transport *value);
void scep_oaep_parameters_free(struct scep_oaep_parameters *value);

AUTO_FREE(scep_content_info_free, struct scep_content_info)
AUTO_FREE(scep_signed_data_free, struct scep_signed_data)
AUTO_FREE(scep_enveloped_data_free, struct scep_enveloped_data)
AUTO_FREE(scep_key_transport_free, struct scep_key_transport)
AUTO_FREE(scep_oaep_parameters_free, struct scep_oaep_parameters)
AUTO_FREE(X509_ALGOR_free, X509_ALGOR)

/* The signed attributes as the SET OF that is signed (RFC 5652 s5.4): in the order they came in,
 * or sorted as DER demands.  Replaces `out`. */
enum scep_attribute_order { SCEP_ORDER_RECEIVED, SCEP_ORDER_SORTED };
MUST_USE enum status scep_attributes_encode(const OPENSSL_STACK *attributes, enum scep_attribute_order order,
                                            struct buf *out);

/* Content octets, lent; empty for NULL. */
struct span scep_asn1_string_bytes(const ASN1_STRING *string);
struct span scep_asn1_oid_bytes(const ASN1_OBJECT *oid);

/* What an ANY holds: the whole encoding of a SEQUENCE, SET or tagged type, the content octets of
 * a string, nothing for a type that is neither.  Lent. */
struct span scep_asn1_any_bytes(const ASN1_TYPE *any);

/* An OID as its usual name or in dotted form, for error texts. */
#define SCEP_OID_TEXT_BYTES 80
void scep_asn1_oid_text(const ASN1_OBJECT *oid, char text[SCEP_OID_TEXT_BYTES]);
