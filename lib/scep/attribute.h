/* SPDX-License-Identifier: Apache-2.0
 *
 * The signed attributes (RFC 8894 s3.2.1, RFC 5652 s11): their OIDs, types and sizes, once, for
 * reading and for writing.
 */
#pragma once

#include "lib/scep/asn1.h"

enum scep_attribute {
    SCEP_ATTRIBUTE_CONTENT_TYPE,
    SCEP_ATTRIBUTE_MESSAGE_DIGEST,
    SCEP_ATTRIBUTE_SIGNING_TIME,
    SCEP_ATTRIBUTE_TRANSACTION,
    SCEP_ATTRIBUTE_MESSAGE_TYPE,
    SCEP_ATTRIBUTE_PKI_STATUS,
    SCEP_ATTRIBUTE_FAIL_INFO,
    SCEP_ATTRIBUTE_FAIL_INFO_TEXT,
    SCEP_ATTRIBUTE_SENDER_NONCE,
    SCEP_ATTRIBUTE_RECIPIENT_NONCE,
    SCEP_ATTRIBUTE_COUNT,
};

/* "senderNonce", and where it is written ("RFC 8894 s3.2.1.5"). */
const char *scep_attribute_name(enum scep_attribute kind);
const char *scep_attribute_source(enum scep_attribute kind);

/* --- Reading ------------------------------------------------------------ */

struct scep_attribute_slot {
    struct der value; /* the first one; tag 0 where there is none */
    bool is_sound;    /* exactly one, of the right type and size */
};

/* Sort what came, the content of a SET OF Attribute, into slots.  All of it is looked at; the result tells of the first defect:
 * BAD_INPUT  doubled, empty or with several values, wrong type, wrong size */
MUST_USE enum status scep_attributes_collect(struct span attributes,
                                             struct scep_attribute_slot slots[SCEP_ATTRIBUTE_COUNT]);

/* True for every kind of character string, and for an OCTET STRING. */
bool scep_attribute_is_opaque_text(const struct der *value);

/* The same attributes as DER wants them, the SETs sorted that they are and hold; replaces `out`. */
MUST_USE enum status scep_attributes_sort(struct span attributes, struct buf *out);

/* --- Writing ------------------------------------------------------------ */

#define SCEP_ATTRIBUTES_MAX 12

/* A SET OF Attribute in the making. */
struct scep_attributes {
    struct buf bytes;
    struct der_writer der;
    size_t end[SCEP_ATTRIBUTES_MAX]; /* where each of them ends in `bytes` */
    size_t count;
};

void scep_attributes_init(struct scep_attributes *attributes);
void scep_attributes_clear(struct scep_attributes *attributes);

void scep_attributes_add(struct scep_attributes *attributes, enum scep_attribute kind, uint8_t tag,
                         struct span value);

/* A decimal number as a PrintableString. */
void scep_attributes_add_number(struct scep_attributes *attributes, enum scep_attribute kind, int value);

/* signingTime: UTCTime to 2049, GeneralizedTime after (RFC 5652 s11.3). */
void scep_attributes_add_time(struct scep_attributes *attributes, int64_t when_s);

/* The DER of the SET OF, sorted; replaces `out`. */
MUST_USE enum status scep_attributes_write(const struct scep_attributes *attributes, struct buf *out);
