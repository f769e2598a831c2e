/* SPDX-License-Identifier: Apache-2.0
 *
 * Object identifiers and AlgorithmIdentifiers, and what they mean to us.
 */
#pragma once

#include "lib/scep/asn1.h"
#include "lib/scep/scep.h"

/* Content types, RFC 5652 s4, s5.1, s6.1; content octets of the OID. */
extern const struct span scep_oid_data;
extern const struct span scep_oid_signed_data;
extern const struct span scep_oid_enveloped_data;

/* DIGEST_NONE for one we do not know. */
enum digest scep_digest_of(const struct scep_algorithm *algorithm);
const char *scep_digest_name(enum digest digest);
struct span scep_digest_identifier(enum digest digest); /* DER AlgorithmIdentifier; empty for NONE */

/* A SignerInfo's signatureAlgorithm: kind of key, and the digest it names (NONE where it names none). */
struct scep_signature_rule {
    struct span oid;
    bool is_rsa;
    enum digest digest;
};
/* NULL for one we do not take. */
const struct scep_signature_rule *scep_signature_rule_of(const struct scep_algorithm *algorithm);
struct span scep_signature_identifier(enum key_kind kind, enum digest digest);

struct scep_cipher_rule {
    enum scep_cipher cipher;
    const char *name; /* as libcrypto fetches it */
    struct span oid;
    size_t key_bytes;
    size_t block_bytes; /* of the IV, too */
};
const struct scep_cipher_rule *scep_cipher_rule_of(const struct scep_algorithm *algorithm); /* NULL: not one we take */
const struct scep_cipher_rule *scep_cipher_rule(enum scep_cipher cipher);        /* NULL for NONE */

/* A KeyTransRecipientInfo's keyEncryptionAlgorithm.
 * BAD_INPUT  parameters missing or malformed     REFUSED  an algorithm we do not take */
MUST_USE enum status scep_key_transport_padding(const struct scep_algorithm *algorithm, enum key_padding *out);
struct span scep_key_transport_identifier(enum key_padding padding);
