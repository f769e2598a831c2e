/* SPDX-License-Identifier: Apache-2.0
 *
 * What a read message is made of; for the files of this folder only.
 */
#pragma once

#include "lib/scep/algorithm.h"
#include "lib/scep/asn1.h"
#include "lib/scep/attribute.h"
#include "lib/scep/scep.h"

#define SCEP_CERTIFICATES_MAX 16

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
    const struct scep_cipher_rule *cipher; /* NULL for an unknown one */
    enum key_padding padding;
    bool padding_is_known;
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
 * BAD_INPUT  anything but an EnvelopedData of data for one KeyTransRecipientInfo
 * An unknown algorithm is no failure here: m->cipher and m->padding_is_known tell. */
MUST_USE enum status scep_envelope_read(struct scep_message *m);

/* Encrypt `plain` to a certificate: the ContentInfo of the EnvelopedData; replaces `out`. */
MUST_USE enum status scep_envelope_build(struct span plain, struct cert *recipient, enum scep_cipher cipher,
                                         enum key_padding padding, struct buf *out);

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
