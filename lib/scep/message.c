/* SPDX-License-Identifier: Apache-2.0
 *
 * Step one: the shape of a pkiMessage, without any cryptography.
 */
#include "lib/scep/message.h"

#include <stdio.h>
#include <stdlib.h>

void scep_message_free(struct scep_message *message)
{
    if (!message)
        return;
    buf_clear(&message->der);
    buf_clear(&message->inside);
    buf_clear(&message->joined);
    cert_free(message->signer);
    free(message);
}

const struct scep_header *scep_message_get_header(const struct scep_message *message)
{
    return &message->header;
}

struct cert *scep_message_get_signer(const struct scep_message *message)
{
    return message->signer;
}

bool scep_message_algorithm_refused(const struct scep_message *message)
{
    return message->is_algorithm_refused;
}

/* Keep the first failure of a step that does not hinder an answer. */
static void remember(struct scep_message *m, enum status status)
{
    if (status == OK || m->defect != OK)
        return;
    m->defect = status;
    snprintf(m->defect_text, sizeof m->defect_text, "%s", fail_text());
}

/* --- Who ----------------------------------------------------------------- */

static struct span without_leading_zeros(struct span octets)
{
    while (octets.len && octets.ptr[0] == 0) {
        octets.ptr++;
        octets.len--;
    }
    return octets;
}

static bool serial_is(struct span serial, struct span octets)
{
    /* Certificates with negative serials are none of ours. */
    return !(serial.ptr[0] & 0x80) &&
           span_equal(without_leading_zeros(serial), without_leading_zeros(octets));
}

static bool is_same_name(struct span a, struct span b)
{
    return span_equal(a, b) || name_equal(a, b);
}

bool scep_entity_is(const struct scep_entity_id *id, const struct cert *cert)
{
    if (id->is_key_id) {
        const struct span key_id = cert_get_subject_key_id(cert);
        return key_id.len && span_equal(key_id, id->key_id);
    }
    return serial_is(id->serial, cert_get_serial(cert)) && is_same_name(id->issuer, cert_get_issuer(cert));
}

/* By sid and not by position: in a reply the first one may well be the issued certificate.
 * Those that cannot be read cannot have signed it either, and are passed over. */
static enum status find_signer(struct scep_message *m)
{
    const size_t count = m->signed_data.certificate_count;
    struct span rest = m->signed_data.certificates;

    for (size_t i = 0; i < count && i < SCEP_CERTIFICATES_MAX && !m->signer; i++) {
        struct der element;
        AUTO(cert_freep) struct cert *cert = NULL;
        TRY(scep_element_next(&rest, &element));
        if (element.tag == DER_SEQUENCE && cert_parse(element.whole, &cert) == OK &&
            scep_entity_is(&m->signed_data.signer.id, cert))
            m->signer = take(cert);
    }
    if (count > SCEP_CERTIFICATES_MAX)
        return fail(BAD_INPUT, "RFC 8894 s2.3: %zu certificates in a message, want %d at most", count,
                    SCEP_CERTIFICATES_MAX);
    return OK;
}

/* --- SignedData ------------------------------------------------------------ */

/* The one copy of the message is in DER, whatever came. */
static enum status read_outer(struct scep_message *m, struct span sent, struct span *signed_data)
{
    char type[SCEP_OID_TEXT_BYTES];
    struct scep_content_info outer;

    enum status status = der_check(sent) == OK ? buf_append(&m->der, sent) : ber_to_der(sent, &m->der);
    if (status == OK)
        status = scep_content_info_read(buf_span(&m->der), &outer);
    if (status != OK)
        return fail_in(status, "RFC 5652 s3: %zu bytes that are not one ContentInfo", sent.len);
    if (!span_equal(outer.type, scep_oid_signed_data)) {
        scep_oid_text(outer.type, type);
        return fail(BAD_INPUT, "RFC 8894 s3.2: a content of type %s, want signedData", type);
    }
    if (outer.content.tag != DER_SEQUENCE)
        return fail(BAD_INPUT, "RFC 5652 s5.1: signedData without a SignedData");
    *signed_data = outer.content.whole;
    return OK;
}

static enum status read_signed_data(struct scep_message *m, struct span sent)
{
    struct scep_signed_data *data = &m->signed_data;
    struct span der;

    TRY(read_outer(m, sent, &der));
    const enum status status = scep_signed_data_read(der, &m->joined, data);
    if (status != OK)
        return fail_in(status, "RFC 5652 s5.1: the SignedData does not decode");
    if (data->signer_count != 1)
        return fail(BAD_INPUT, "RFC 8894 s3.2: %zu SignerInfos, want 1", data->signer_count);
    if (!data->signer.signed_attributes.tag)
        return fail(BAD_INPUT, "RFC 8894 s3.2: the SignerInfo has no signed attributes");
    /* RFC 5652 s5.4: signed is the SET OF, not the [0].  The copy is ours. */
    m->signed_attributes = data->signer.signed_attributes.whole;
    m->der.ptr[m->signed_attributes.ptr - m->der.ptr] = DER_SET;
    return OK;
}

/* encapContentInfo: data, and in it an OCTET STRING or nothing. */
static enum status read_content(struct scep_message *m)
{
    const struct scep_content_info *content = &m->signed_data.content;
    char type[SCEP_OID_TEXT_BYTES];

    if (!span_equal(content->type, scep_oid_data)) {
        scep_oid_text(content->type, type);
        return fail(BAD_INPUT, "RFC 8894 s3.2: eContentType is %s, want data", type);
    }
    if (!content->content.tag)
        return OK;
    if (content->content.tag != DER_OCTET_STRING)
        return fail(BAD_INPUT, "RFC 5652 s5.2: eContent is not an OCTET STRING");
    m->content = content->content.content;
    m->has_content = m->content.len > 0;
    return OK;
}

static enum status check_digest_algorithms(const struct scep_message *m)
{
    if (m->signed_data.digest_count == 0)
        return fail(BAD_INPUT, "RFC 5652 s5.1: digestAlgorithms is empty");
    return OK;
}

/* --- Attributes ------------------------------------------------------------ */

/* RFC 8894 s3.2.1.2 to 4: "decimal value as a numeric text string"; -1 for anything else. */
static int decimal_value(struct span text)
{
    int value = 0;

    if (text.len == 0 || text.len > 3 || (text.len > 1 && text.ptr[0] == '0'))
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        value = 10 * value + (text.ptr[i] - '0');
    }
    return value <= 255 ? value : -1;
}

static enum status read_number(const struct scep_message *m, enum scep_attribute kind, int *out)
{
    const struct scep_attribute_slot *slot = &m->attributes[kind];

    if (!slot->is_sound)
        return OK;
    *out = decimal_value(slot->value.content);
    if (*out < 0)
        return fail(BAD_INPUT, "%s: %s is not a decimal number from 0 to 255", scep_attribute_source(kind),
                    scep_attribute_name(kind));
    return OK;
}

static enum status read_message_type(struct scep_message *m)
{
    int value = SCEP_TYPE_NONE;

    TRY(read_number(m, SCEP_ATTRIBUTE_MESSAGE_TYPE, &value));
    m->header.message_type = value;
    return OK;
}

/* An answer must repeat the transactionID, so this one is read even where it is of an odd type or doubled. */
static enum status read_transaction(struct scep_message *m)
{
    const struct der *value = &m->attributes[SCEP_ATTRIBUTE_TRANSACTION].value;
    const struct span bytes = value->content;

    if (!value->tag)
        return fail(BAD_INPUT, "RFC 8894 s3.2.1.1: no transactionID");
    if (!scep_attribute_is_opaque_text(value))
        return fail(BAD_INPUT, "RFC 8894 s3.2.1.1: transactionID is not a string");
    if (bytes.len == 0 || bytes.len > SCEP_TRANSACTION_MAX_BYTES)
        return fail(BAD_INPUT, "RFC 8894 s3.2.1.1: transactionID is %zu bytes, want 1 to %d", bytes.len,
                    SCEP_TRANSACTION_MAX_BYTES);
    m->header.transaction = bytes;
    return OK;
}

/* Whatever nonce came is echoed. */
static struct span nonce_bytes(const struct scep_message *m, enum scep_attribute kind)
{
    const struct der *value = &m->attributes[kind].value;

    if (value->tag != DER_OCTET_STRING || value->content.len > SCEP_NONCE_MAX_BYTES)
        return span_of(NULL, 0);
    return value->content;
}

static void read_header(struct scep_message *m)
{
    struct scep_header *h = &m->header;

    remember(m, read_message_type(m));
    remember(m, read_number(m, SCEP_ATTRIBUTE_PKI_STATUS, &h->pki_status));
    remember(m, read_number(m, SCEP_ATTRIBUTE_FAIL_INFO, &h->fail_info));
    h->sender_nonce = nonce_bytes(m, SCEP_ATTRIBUTE_SENDER_NONCE);
    h->recipient_nonce = nonce_bytes(m, SCEP_ATTRIBUTE_RECIPIENT_NONCE);
    if (m->attributes[SCEP_ATTRIBUTE_FAIL_INFO_TEXT].is_sound)
        h->fail_info_text = m->attributes[SCEP_ATTRIBUTE_FAIL_INFO_TEXT].value.content;
    h->digest = scep_digest_of(&m->signed_data.signer.digest);
}

/* --- What each kind of message must have ----------------------------------- */

static enum status check_present(const struct scep_message *m, enum scep_attribute kind)
{
    if (!m->attributes[kind].value.tag)
        return fail(BAD_INPUT, "%s: no %s", scep_attribute_source(kind), scep_attribute_name(kind));
    return OK;
}

/* The size of the nonce is a matter of policy and judged in prove.c. */
static enum status check_request(const struct scep_message *m)
{
    TRY(check_present(m, SCEP_ATTRIBUTE_SENDER_NONCE));
    if (!m->has_content)
        return fail(BAD_INPUT, "RFC 8894 s3.2: a request without a pkcsPKIEnvelope");
    return OK;
}

static enum status check_reply(const struct scep_message *m)
{
    TRY(check_present(m, SCEP_ATTRIBUTE_PKI_STATUS));
    TRY(check_present(m, SCEP_ATTRIBUTE_RECIPIENT_NONCE));
    switch (m->header.pki_status) {
    case SCEP_SUCCESS:
        return m->has_content ? OK : fail(BAD_INPUT, "RFC 8894 s3.3.2.1: SUCCESS without a pkcsPKIEnvelope");
    case SCEP_FAILURE:
    case SCEP_PENDING:
        return OK;
    default:
        return fail(BAD_INPUT, "RFC 8894 s3.2.1.3: pkiStatus %d is not defined", m->header.pki_status);
    }
}

/* RFC 8894 s3.2.1.2: a messageType that is not defined there is an error. */
static enum status check_required(const struct scep_message *m)
{
    TRY(check_present(m, SCEP_ATTRIBUTE_MESSAGE_TYPE));
    TRY(check_present(m, SCEP_ATTRIBUTE_CONTENT_TYPE));
    TRY(check_present(m, SCEP_ATTRIBUTE_MESSAGE_DIGEST));
    switch (m->header.message_type) {
    case SCEP_CERT_REP:
        return check_reply(m);
    case SCEP_RENEWAL_REQ:
    case SCEP_PKCS_REQ:
    case SCEP_CERT_POLL:
    case SCEP_GET_CERT:
    case SCEP_GET_CRL:
        return check_request(m);
    default:
        return fail(BAD_INPUT, "RFC 8894 s3.2.1.2: messageType %d is not defined", m->header.message_type);
    }
}

enum status scep_message_parse(struct span der, struct scep_message **out)
{
    if (der.len == 0 || der.len > SCEP_MESSAGE_MAX_BYTES)
        return fail(BAD_INPUT, "a message of %zu bytes, want 1 to %zu", der.len, SCEP_MESSAGE_MAX_BYTES);
    AUTO(scep_message_freep) struct scep_message *m = calloc(1, sizeof *m);
    if (!m)
        return fail(FAULT, "no memory for a message");
    m->header.pki_status = -1;
    m->header.fail_info = -1;
    TRY(read_signed_data(m, der));
    remember(m, scep_attributes_collect(m->signed_data.signer.signed_attributes.content, m->attributes));
    TRY(read_transaction(m));
    read_header(m);
    remember(m, check_digest_algorithms(m));
    remember(m, find_signer(m));
    remember(m, read_content(m));
    remember(m, check_required(m));
    if (m->has_content)
        remember(m, scep_envelope_read(m));
    *out = take(m);
    return OK;
}
