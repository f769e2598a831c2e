/* SPDX-License-Identifier: Apache-2.0
 *
 * What a read message is made of; for the files of this folder only.
 */
#pragma once

#include "lib/scep/algorithm.h"
#include "lib/scep/asn1.h"
#include "lib/scep/attribute.h"
#include "lib/scep/scep.h"

#include <openssl/evp.h>

#define SCEP_CERTIFICATES_MAX 16

/* PasswordRecipientInfo, RFC 5652 s6.2.4: what of it decides; spans lent. */
struct scep_password_recipient {
    struct span salt;
    unsigned iterations;
    unsigned key_bytes; /* as PBKDF2 says it; 0 where it does not */
    const EVP_MD *(*prf)(void);
    const struct scep_cipher_rule *cipher; /* of the key's encryption */
    struct span iv;
    struct span encrypted_key;
};

struct scep_message {
    struct buf der;    /* the message; every span below is lent from it, or from the two behind it: */
    struct buf inside; /* eContent, where DER had to be made of it */
    struct buf joined; /* octets that came in segments */

    struct scep_signed_data signed_data;
    struct span signed_attributes; /* as the SET OF that is signed */
    struct span content;           /* eContent's octets as they came, empty where there are none */
    bool has_content;
    struct scep_attribute_slot attributes[SCEP_ATTRIBUTE_COUNT];
    struct cert *signer; /* NULL where it is not embedded */

    bool has_envelope; /* false where there is none, or it is unreadable */
    struct scep_enveloped_data envelope;
    bool has_transport;
    struct scep_key_transport transport;   /* its one recipient */
    bool is_by_password;                   /* a reply's recipient is a password instead */
    struct scep_password_recipient password;
    const struct scep_cipher_rule *cipher; /* NULL for an unknown one */
    enum key_padding padding;
    bool padding_is_known; /* how the key is encrypted, that is: also to a password */
    char padding_text[192]; /* why not */

    struct scep_header header;
    enum status defect; /* the first thing that was wrong with its shape, and what */
    char defect_text[256];
    bool is_algorithm_refused;
    bool is_proved;
};

/* Does this name that certificate? */
bool scep_entity_is(const struct scep_entity_id *id, const struct cert *cert);

/* Read the pkcsPKIEnvelope into the message (RFC 8894 s3.2.2).
 * BAD_INPUT  anything but an EnvelopedData of data for one KeyTransRecipientInfo, or in a CertRep for one
 *            PasswordRecipientInfo
 * An unknown algorithm is no failure here: m->cipher and m->padding_is_known tell. */
MUST_USE enum status scep_envelope_read(struct scep_message *m);

/* Encrypt `plain` to a certificate: the ContentInfo of the EnvelopedData; replaces `out`. */
MUST_USE enum status scep_envelope_build(struct span plain, struct cert *recipient, enum scep_cipher cipher,
                                         enum key_padding padding, struct buf *out);

/* The same to a password, 1 byte or more (RFC 8894 s3.1). */
MUST_USE enum status scep_envelope_build_for_password(struct span plain, struct span password, enum scep_cipher cipher,
                                                      struct buf *out);

/* Decrypt the content of a proved message; replaces `plain`.
 *   key        lent   as long as the message's cipher wants it
 *   is_right   false: it is a random one in place of one that did not unwrap; the work is done all the same
 * BAD_PROOF  one answer for all that can be wrong */
MUST_USE enum status scep_envelope_open(struct scep_message *m, const uint8_t *key, bool is_right, struct buf *plain);

/* Read a PasswordRecipientInfo with its tag.
 * BAD_INPUT  malformed, or a count or length out of bounds     REFUSED  an algorithm we do not take */
MUST_USE enum status scep_password_recipient_read(struct span der, struct scep_password_recipient *out);

/* Encrypt a content key to a password: the RecipientInfo, appended.  BAD_INPUT: an empty password */
MUST_USE enum status scep_password_recipient_write(struct span content_key, struct span password, struct buf *out);

/* Sign attributes and content; adds contentType, messageDigest and signingTime; replaces `out`. */
struct scep_signing {
    struct span content; /* eContent; empty: there is none */
    struct scep_identity signer;
    enum digest digest;
    int64_t now_s;
};
MUST_USE enum status scep_sign(const struct scep_signing *signing, struct scep_attributes *attributes,
                               struct buf *out);

/* A fresh senderNonce. */
MUST_USE enum status scep_attributes_add_fresh_nonce(struct scep_attributes *attributes);

/* IssuerAndSerialNumber of a certificate. */
void scep_put_issuer_serial(struct der_writer *der, const struct cert *cert);
