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
    scep_signed_data_free(message->signed_data);
    scep_enveloped_data_free(message->envelope);
    scep_key_transport_free(message->transport);
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

static bool serial_is(const ASN1_INTEGER *serial, struct span octets)
{
    /* libcrypto keeps sign and magnitude; certificates with negative serials are none of ours. */
    return ASN1_STRING_type(serial) == V_ASN1_INTEGER &&
           span_equal(without_leading_zeros(scep_asn1_string_bytes(serial)), without_leading_zeros(octets));
}

static bool is_same_name(struct span a, struct span b)
{
    return span_equal(a, b) || name_equal(a, b);
}

bool scep_entity_is(const struct scep_entity_id *id, const struct cert *cert)
{
    if (id->type == SCEP_ENTITY_KEY_ID) {
        const struct span key_id = cert_get_subject_key_id(cert);
        return key_id.len && span_equal(key_id, scep_asn1_string_bytes(id->value.key_id));
    }
    const struct scep_issuer_serial *is = id->value.issuer_serial;
    return serial_is(is->serial, cert_get_serial(cert)) &&
           is_same_name(scep_asn1_any_bytes(is->issuer), cert_get_issuer(cert));
}

/* By sid and not by position: in a reply the first one may well be the issued certificate.
 * Those that cannot be read cannot have signed it either, and are passed over. */
static enum status find_signer(struct scep_message *m)
{
    const STACK_OF(ASN1_TYPE) *certificates = m->signed_data->certificates;
    const int count = certificates ? sk_ASN1_TYPE_num(certificates) : 0;

    for (int i = 0; i < count && i < SCEP_CERTIFICATES_MAX; i++) {
        const ASN1_TYPE *any = sk_ASN1_TYPE_value(certificates, i);
        AUTO(cert_freep) struct cert *cert = NULL;
        if (any->type != V_ASN1_SEQUENCE || cert_parse(scep_asn1_any_bytes(any), &cert) != OK)
            continue;
        if (!m->signer && scep_entity_is(m->signer_info->id, cert)) {
            m->signer = take(cert);
            break;
        }
    }
    if (count > SCEP_CERTIFICATES_MAX)
        return fail(BAD_INPUT, "RFC 8894 s2.3: %d certificates in a message, want %d at most", count,
                    SCEP_CERTIFICATES_MAX);
    return OK;
}

/* --- SignedData ------------------------------------------------------------ */

static enum status read_signed_data(struct scep_message *m, struct span der)
{
    char type[SCEP_OID_TEXT_BYTES];
    AUTO(scep_content_info_freep) struct scep_content_info *outer = scep_content_info_read(der);

    if (!outer)
        return fail(BAD_INPUT, "RFC 5652 s3: %zu bytes that are not one ContentInfo", der.len);
    scep_asn1_oid_text(outer->type, type);
    if (!span_equal(scep_asn1_oid_bytes(outer->type), scep_oid_signed_data))
        return fail(BAD_INPUT, "RFC 8894 s3.2: a content of type %s, want signedData", type);
    if (!outer->content || outer->content->type != V_ASN1_SEQUENCE)
        return fail(BAD_INPUT, "RFC 5652 s5.1: signedData without a SignedData");
    m->signed_data = scep_signed_data_read(scep_asn1_any_bytes(outer->content));
    if (!m->signed_data)
        return fail(BAD_INPUT, "RFC 5652 s5.1: the SignedData does not decode");
    const int signers = OPENSSL_sk_num(m->signed_data->signers);
    if (signers != 1)
        return fail(BAD_INPUT, "RFC 8894 s3.2: %d SignerInfos, want 1", signers);
    m->signer_info = OPENSSL_sk_value(m->signed_data->signers, 0);
    if (!m->signer_info->signed_attributes)
        return fail(BAD_INPUT, "RFC 8894 s3.2: the SignerInfo has no signed attributes");
    return OK;
}

/* encapContentInfo: data, and in it an OCTET STRING or nothing. */
static enum status read_content(struct scep_message *m)
{
    const struct scep_content_info *content = m->signed_data->content;
    char type[SCEP_OID_TEXT_BYTES];

    if (!span_equal(scep_asn1_oid_bytes(content->type), scep_oid_data)) {
        scep_asn1_oid_text(content->type, type);
        return fail(BAD_INPUT, "RFC 8894 s3.2: eContentType is %s, want data", type);
    }
    if (!content->content)
        return OK;
    if (content->content->type != V_ASN1_OCTET_STRING)
        return fail(BAD_INPUT, "RFC 5652 s5.2: eContent is not an OCTET STRING");
    m->content = scep_asn1_any_bytes(content->content);
    m->has_content = m->content.len > 0;
    return OK;
}

static enum status check_digest_algorithms(const struct scep_message *m)
{
    if (sk_X509_ALGOR_num(m->signed_data->digests) == 0)
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
    *out = decimal_value(scep_asn1_any_bytes(slot->value));
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
    const ASN1_TYPE *value = m->attributes[SCEP_ATTRIBUTE_TRANSACTION].value;
    const struct span bytes = scep_asn1_any_bytes(value);

    if (!value)
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
    const ASN1_TYPE *value = m->attributes[kind].value;
    const struct span bytes = scep_asn1_any_bytes(value);

    if (!value || value->type != V_ASN1_OCTET_STRING || bytes.len > SCEP_NONCE_MAX_BYTES)
        return span_of(NULL, 0);
    return bytes;
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
        h->fail_info_text = scep_asn1_any_bytes(m->attributes[SCEP_ATTRIBUTE_FAIL_INFO_TEXT].value);
    h->digest = scep_digest_of(m->signer_info->digest);
}

/* --- What each kind of message must have ----------------------------------- */

static enum status check_present(const struct scep_message *m, enum scep_attribute kind)
{
    if (!m->attributes[kind].value)
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
    remember(m, scep_attributes_collect(m->signer_info->signed_attributes, m->attributes));
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
