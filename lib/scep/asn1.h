/* SPDX-License-Identifier: Apache-2.0
 *
 * The structures of CMS (RFC 5652) that SCEP needs, as spans lent from the message.
 *
 * Knows: what the structures look like, in DER's framing (ber_to_der() sees to that).  Does not know:
 * what they mean.  What needs no decoding here stays an element: certificates, names, recipients.
 *
 * The readers say BAD_INPUT for anything that is not the structure, whole and with nothing behind it; what
 * an element without a meaning here holds is looked at no further than its own type asks.
 */
#pragma once

#include "lib/pki/der.h"

struct scep_content_info {
    struct span type;   /* an OID's content octets, as everywhere below */
    struct der content; /* tag 0 where absent */
};

struct scep_algorithm {
    struct span oid; /* empty in an algorithm that is absent */
    struct der parameter;
};

/* SignerIdentifier and RecipientIdentifier: one and the same CHOICE. */
struct scep_entity_id {
    bool is_key_id;
    struct span key_id;
    struct span issuer; /* the whole element */
    struct span serial; /* content octets; may be negative */
};

struct scep_attribute_item {
    struct span type;
    struct span values; /* content of the SET */
    size_t value_count;
    struct der first; /* tag 0 where there are no values */
};

struct scep_signer_info {
    struct scep_entity_id id;
    struct scep_algorithm digest;
    struct der signed_attributes; /* [0] over the SET OF; tag 0 where absent */
    struct scep_algorithm signature_algorithm;
    struct span signature;
};

struct scep_signed_data {
    size_t digest_count;
    struct scep_content_info content;
    struct span certificates; /* content of the SET; empty where absent */
    size_t certificate_count;
    struct scep_signer_info signer; /* the first one */
    size_t signer_count;
};

struct scep_encrypted_content {
    struct span type;
    struct scep_algorithm cipher;
    struct span bytes; /* empty where absent */
};

struct scep_enveloped_data {
    struct der recipient; /* the first one; tag 0 where there is none */
    size_t recipient_count;
    struct scep_encrypted_content content;
};

struct scep_key_transport {
    struct scep_entity_id id;
    struct scep_algorithm algorithm;
    struct span encrypted_key;
};

/* RSAES-OAEP-params, RFC 4055 s4.1. */
struct scep_oaep_parameters {
    struct scep_algorithm hash;
    struct scep_algorithm mask;
    struct scep_algorithm source;
};

/* `joined`: where OCTET STRINGs under an implicit tag are put that came in segments (BER).  Given empty first,
 * one for a message and what is inside of it, and kept as long as what was read. */
MUST_USE enum status scep_content_info_read(struct span der, struct scep_content_info *out);
MUST_USE enum status scep_signed_data_read(struct span der, struct buf *joined, struct scep_signed_data *out);
MUST_USE enum status scep_enveloped_data_read(struct span der, struct buf *joined,
                                              struct scep_enveloped_data *out);
MUST_USE enum status scep_key_transport_read(struct span der, struct buf *joined,
                                             struct scep_key_transport *out);
MUST_USE enum status scep_oaep_parameters_read(struct span der, struct scep_oaep_parameters *out);
MUST_USE enum status scep_algorithm_read(struct span der, struct scep_algorithm *out);

/* Take the next element of any type off a SET OF.  BAD_INPUT: malformed, also inside one of the simple types. */
MUST_USE enum status scep_element_next(struct span *rest, struct der *out);

/* Take the next Attribute off a SET OF. */
MUST_USE enum status scep_attribute_next(struct span *rest, struct scep_attribute_item *out);

/* An OID as its usual name or in dotted form, for error texts. */
#define SCEP_OID_TEXT_BYTES 80
void scep_oid_text(struct span oid, char text[SCEP_OID_TEXT_BYTES]);
