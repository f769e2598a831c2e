/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's CertRep (RFC 8894 s3.3.2).
 */
#include "lib/scep/message.h"

/* --- What is mirrored of the request ---------------------------------------- */

/* Devices understand what they speak; where that is below the policy, or nothing came, what must be implemented. */
static enum scep_cipher reply_cipher(const struct scep_reply *reply)
{
    const enum scep_cipher cipher = reply->request->header.cipher;

    if (cipher == SCEP_CIPHER_NONE || (cipher == SCEP_DES_CBC && !reply->policy.allow_des) ||
        (cipher == SCEP_DES3_CBC && !reply->policy.allow_des3))
        return SCEP_AES128_CBC;
    return cipher;
}

static enum digest reply_digest(const struct scep_reply *reply)
{
    const enum digest digest = reply->request->header.digest;

    if (digest == DIGEST_SHA384 || digest == DIGEST_SHA512 ||
        (digest == DIGEST_SHA1 && reply->policy.allow_sha1) || (digest == DIGEST_MD5 && reply->policy.allow_md5))
        return digest;
    return DIGEST_SHA256;
}

static enum key_padding reply_padding(const struct scep_reply *reply)
{
    return reply->request->padding_is_known ? reply->request->padding : KEY_PADDING_PKCS1;
}

static void add_transaction(const struct scep_message *request, struct scep_attributes *attributes)
{
    const struct span transaction = request->header.transaction;
    const uint8_t sent_as = request->attributes[SCEP_ATTRIBUTE_TRANSACTION].value.tag;
    const uint8_t tag = span_is_printable_string(transaction) ? DER_PRINTABLE_STRING : sent_as;

    scep_attributes_add(attributes, SCEP_ATTRIBUTE_TRANSACTION, tag, transaction);
}

/* --- Attributes ------------------------------------------------------------- */

static void add_failure(const struct scep_reply *reply, struct scep_attributes *attributes)
{
    const struct span text = span_of_text(reply->fail_info_text);

    scep_attributes_add_number(attributes, SCEP_ATTRIBUTE_FAIL_INFO, reply->fail_info);
    if (text.len)
        scep_attributes_add(attributes, SCEP_ATTRIBUTE_FAIL_INFO_TEXT, DER_UTF8_STRING, text);
}

static enum status add_attributes(const struct scep_reply *reply, struct scep_attributes *attributes)
{
    const struct span nonce = reply->request->header.sender_nonce;

    add_transaction(reply->request, attributes);
    scep_attributes_add_number(attributes, SCEP_ATTRIBUTE_MESSAGE_TYPE, SCEP_CERT_REP);
    scep_attributes_add_number(attributes, SCEP_ATTRIBUTE_PKI_STATUS, reply->status);
    if (nonce.len)
        scep_attributes_add(attributes, SCEP_ATTRIBUTE_RECIPIENT_NONCE, DER_OCTET_STRING, nonce);
    if (reply->status == SCEP_FAILURE)
        add_failure(reply, attributes);
    return scep_attributes_add_fresh_nonce(attributes);
}

/* --- The envelope of SUCCESS ------------------------------------------------- */

static enum status build_envelope(const struct scep_reply *reply, struct buf *envelope)
{
    AUTO(buf_clear) struct buf certificates = { 0 };

    if (!reply->request->signer)
        return fail(BAD_INPUT, "RFC 8894 s2.3: no certificate to encrypt the reply to");
    if (reply->certificate_count == 0)
        return fail(BAD_INPUT, "RFC 8894 s3.3.2.1: SUCCESS without a certificate");
    TRY(scep_certs_build(reply->certificates, reply->certificate_count, &certificates));
    if (scep_message_needs_password(reply->request))
        return scep_envelope_build_for_password(buf_span(&certificates), reply->password, reply_cipher(reply), envelope);
    return scep_envelope_build(buf_span(&certificates), reply->request->signer, reply_cipher(reply),
                               reply_padding(reply), envelope);
}

enum status scep_reply_build(const struct scep_reply *reply, struct buf *out)
{
    AUTO(buf_clear) struct buf envelope = { 0 };
    AUTO(scep_attributes_clear) struct scep_attributes attributes;

    scep_attributes_init(&attributes);
    if (reply->status == SCEP_SUCCESS)
        TRY(build_envelope(reply, &envelope));
    TRY(add_attributes(reply, &attributes));
    const struct scep_signing signing = { .content = buf_span(&envelope),
                                          .signer = reply->signer,
                                          .digest = reply_digest(reply),
                                          .now_s = reply->now_s };
    return scep_sign(&signing, &attributes, out);
}

const char *scep_fail_info_name(enum scep_fail_info info)
{
    static const char *const names[] = {
        [SCEP_BAD_ALG] = "badAlg",         [SCEP_BAD_MESSAGE_CHECK] = "badMessageCheck",
        [SCEP_BAD_REQUEST] = "badRequest", [SCEP_BAD_TIME] = "badTime",
        [SCEP_BAD_CERT_ID] = "badCertId",
    };

    return (size_t)info < COUNT_OF(names) ? names[info] : "unknown failInfo";
}
