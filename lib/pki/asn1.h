/* SPDX-License-Identifier: Apache-2.0
 *
 * Our ASN.1 modules for certificates and requests, on OpenSSL's template engine.
 *
 * What only has to be hashed, compared or handed on stays opaque (ANY): the names, the
 * algorithms, and above all the SubjectPublicKeyInfo, whose decoding through X509_PUBKEY is
 * what makes d2i_X509 cost 110 us instead of 6 (doc/adr/0002).  Internal to lib/pki.
 * Source: RFC 5280 s4.1, RFC 2986 s4.
 */
#pragma once

#include "lib/base/span.h"

#include <openssl/asn1.h>
#include <openssl/x509.h>

struct asn1_tbs {
    ASN1_INTEGER *version; /* NULL: v1 */
    ASN1_INTEGER *serial;
    ASN1_TYPE *algorithm;
    ASN1_TYPE *issuer;
    ASN1_TYPE *validity;
    ASN1_TYPE *subject;
    ASN1_TYPE *spki;
    ASN1_BIT_STRING *issuer_id;
    ASN1_BIT_STRING *subject_id;
    STACK_OF(X509_EXTENSION) *extensions;
};

struct asn1_cert {
    struct asn1_tbs *tbs;
    ASN1_TYPE *algorithm;
    ASN1_BIT_STRING *signature;
};

struct asn1_csr_info {
    ASN1_INTEGER *version;
    ASN1_TYPE *subject;
    ASN1_TYPE *spki;
    STACK_OF(X509_ATTRIBUTE) *attributes;
};

struct asn1_csr {
    struct asn1_csr_info *info;
    ASN1_TYPE *algorithm;
    ASN1_BIT_STRING *signature;
};

/* Decode strict DER with nothing behind it; free with the function below.  BAD_INPUT otherwise. */
MUST_USE enum status asn1_cert_decode(struct span der, struct asn1_cert **out);
void asn1_cert_free(struct asn1_cert *cert);

MUST_USE enum status asn1_csr_decode(struct span der, struct asn1_csr **out);
void asn1_csr_free(struct asn1_csr *csr);

/* The DER of an ANY that must be a SEQUENCE; `what` names it in the error text. */
MUST_USE enum status asn1_sequence(const ASN1_TYPE *any, const char *what, struct span *out);

/* A BIT STRING of whole octets. */
MUST_USE enum status asn1_octets(const ASN1_BIT_STRING *bits, struct span *out);

struct span asn1_oid(const ASN1_OBJECT *object);
