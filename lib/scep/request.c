/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's request (RFC 8894 s3.3.1).
 */
#include "lib/scep/message.h"

static enum status check_request(const struct scep_request *r)
{
    if (r->transaction.len == 0 || r->transaction.len > SCEP_TRANSACTION_MAX_BYTES ||
        !span_is_printable(r->transaction))
        return fail(BAD_INPUT, "RFC 8894 s3.2.1.1: a transactionID is 1 to %d printable characters",
                    SCEP_TRANSACTION_MAX_BYTES);
    if (r->sender_nonce.len != SCEP_NONCE_BYTES)
        return fail(BAD_INPUT, "RFC 8894 s3.2.1.5: senderNonce is %zu bytes, want %d", r->sender_nonce.len,
                    SCEP_NONCE_BYTES);
    if (r->data.len == 0 || r->data.len > SCEP_MESSAGE_MAX_BYTES)
        return fail(BAD_INPUT, "RFC 8894 s3.2.2: messageData of %zu bytes, want 1 to %zu", r->data.len,
                    SCEP_MESSAGE_MAX_BYTES);
    if (r->digest == DIGEST_MD5 || r->cipher == SCEP_DES_CBC)
        return fail(BAD_INPUT, "RFC 8894 s2.9: no request is made with MD5 or single DES");
    return OK;
}

static void add_attributes(const struct scep_request *r, struct scep_attributes *attributes)
{
    const uint8_t tag = span_is_printable_string(r->transaction) ? DER_PRINTABLE_STRING : DER_UTF8_STRING;

    scep_attributes_add(attributes, SCEP_ATTRIBUTE_TRANSACTION, tag, r->transaction);
    scep_attributes_add_number(attributes, SCEP_ATTRIBUTE_MESSAGE_TYPE, r->type);
    scep_attributes_add(attributes, SCEP_ATTRIBUTE_SENDER_NONCE, DER_OCTET_STRING, r->sender_nonce);
}

enum status scep_request_build(const struct scep_request *request, struct buf *out)
{
    const enum key_padding padding = request->oaep ? KEY_PADDING_OAEP_SHA256 : KEY_PADDING_PKCS1;
    AUTO(buf_clear) struct buf envelope = { 0 };
    AUTO(scep_attributes_clear) struct scep_attributes attributes;

    scep_attributes_init(&attributes);
    TRY(check_request(request));
    TRY(scep_envelope_build(request->data, request->recipient, request->cipher, padding, &envelope));
    add_attributes(request, &attributes);
    const struct scep_signing signing = { .content = buf_span(&envelope),
                                          .signer = request->signer,
                                          .digest = request->digest,
                                          .now_s = request->now_s };
    return scep_sign(&signing, &attributes, out);
}
