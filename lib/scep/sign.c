/* SPDX-License-Identifier: Apache-2.0
 *
 * A pkiMessage around content and attributes: SignedData with one SignerInfo (RFC 8894 s3.2).
 */
#include "lib/scep/message.h"

#include <openssl/rand.h>

#define VERSION_1 SPAN_LITERAL("\1")

enum status scep_attributes_add_fresh_nonce(struct scep_attributes *attributes)
{
    uint8_t nonce[SCEP_NONCE_BYTES];

    if (RAND_bytes(nonce, sizeof nonce) != 1)
        return fail(FAULT, "libcrypto has no random bytes");
    scep_attributes_add(attributes, SCEP_ATTRIBUTE_SENDER_NONCE, DER_OCTET_STRING,
                        span_of(nonce, sizeof nonce));
    return OK;
}

static void add_cms_attributes(const struct scep_signing *signing, struct scep_attributes *attributes)
{
    uint8_t digest[DIGEST_MAX_BYTES];
    const size_t len = digest_bytes(signing->digest, signing->content, digest);

    scep_attributes_add(attributes, SCEP_ATTRIBUTE_CONTENT_TYPE, DER_OID, scep_oid_data);
    scep_attributes_add(attributes, SCEP_ATTRIBUTE_MESSAGE_DIGEST, DER_OCTET_STRING, span_of(digest, len));
    scep_attributes_add_time(attributes, signing->now_s);
}

/* Without a pkcsPKIEnvelope there is still an eContent, empty: certmonger and `openssl cms -verify` take a
 * SignedData without one for detached and refuse it, and so a FAILURE would not be understood. */
static void put_content(struct der_writer *der, struct span content)
{
    const size_t info = der_open(der, DER_SEQUENCE);

    der_put(der, DER_OID, scep_oid_data);
    const size_t explicit = der_open(der, DER_CONTEXT_CONSTRUCTED(0));
    der_put(der, DER_OCTET_STRING, content);
    der_close(der, explicit);
    der_close(der, info);
}

/* `attributes` is the SET OF that was signed: tagged [0] here. */
static void put_signer_info(struct der_writer *der, const struct scep_signing *signing, struct span attributes,
                            struct span signature)
{
    const enum key_kind kind = public_key_get_spec(private_key_get_public(signing->signer.key)).kind;
    const size_t set = der_open(der, DER_SET);
    const size_t info = der_open(der, DER_SEQUENCE);

    der_put(der, DER_INTEGER, VERSION_1);
    scep_put_issuer_serial(der, signing->signer.cert);
    der_put_raw(der, scep_digest_identifier(signing->digest));
    der_put_raw(der, SPAN_LITERAL("\xa0"));
    der_put_raw(der, span_of(attributes.ptr + 1, attributes.len - 1));
    der_put_raw(der, scep_signature_identifier(kind, signing->digest));
    der_put(der, DER_OCTET_STRING, signature);
    der_close(der, info);
    der_close(der, set);
}

static enum status write_signed_data(const struct scep_signing *signing, struct span attributes,
                                     struct span signature, struct buf *out)
{
    struct der_writer der = { .out = out };
    const struct span signer = cert_get_der(signing->signer.cert);

    out->len = 0;
    if (!buf_reserve(out, signing->content.len + signer.len + attributes.len + signature.len + 512))
        der.status = fail(FAULT, "no room for a message of %zu bytes", signing->content.len);
    const size_t info = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_OID, scep_oid_signed_data);
    const size_t explicit = der_open(&der, DER_CONTEXT_CONSTRUCTED(0));
    const size_t data = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_INTEGER, VERSION_1);
    der_put(&der, DER_SET, scep_digest_identifier(signing->digest));
    put_content(&der, signing->content);
    der_put(&der, DER_CONTEXT_CONSTRUCTED(0), signer);
    put_signer_info(&der, signing, attributes, signature);
    der_close(&der, data);
    der_close(&der, explicit);
    der_close(&der, info);
    return der_status(&der);
}

enum status scep_sign(const struct scep_signing *signing, struct scep_attributes *attributes, struct buf *out)
{
    AUTO(buf_clear) struct buf set = { 0 };
    AUTO(buf_clear) struct buf signature = { 0 };

    if (scep_digest_identifier(signing->digest).len == 0)
        return fail(BAD_INPUT, "RFC 8894 s2.9: no digest is chosen");
    add_cms_attributes(signing, attributes);
    TRY(scep_attributes_write(attributes, &set));
    TRY(private_key_sign(signing->signer.key, signing->digest, buf_span(&set), &signature));
    return write_signed_data(signing, buf_span(&set), buf_span(&signature), out);
}
